# recon3d on the processor: docs/DOCKER.md.
FROM python:3.11-slim-bookworm

# What Open3D and OpenCV load; install.py and tests/test_docker.py hold the list.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libegl1 libgl1 libglib2.0-0 libgomp1 libidn2-0 libudev1 libusb-1.0-0 libx11-6 \
    && rm -rf /var/lib/apt/lists/*

# Before the rest, so that a changed line of ours does not fetch them again; both in one command,
# because builds that do not match cannot be imported together.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch torchvision

# heic and video bring GPL code, therefore never by themselves.
ARG EXTRAS=survey,usdz,cluster
COPY . /src
RUN pip install --no-cache-dir "/src[$EXTRAS]" && rm -rf /src

# Open to all: with --user the container runs under a number that it has no home for.
RUN useradd --create-home --uid 1000 recon3d \
    && install -d -m 1777 /home/recon3d /home/recon3d/.cache \
    && install -d -o recon3d /work
ENV HOME=/home/recon3d USER=recon3d PYTHONUNBUFFERED=1
USER recon3d
WORKDIR /work
VOLUME /work

ENTRYPOINT ["recon3d"]
CMD ["--help"]
