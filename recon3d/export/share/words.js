/** What the scripts say, in the language of the page; page.py has the English. */

const WORDS = JSON.parse(document.getElementById("words").textContent);
