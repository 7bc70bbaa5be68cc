"""Photos of a printed board -> the camera's intrinsics, with error bars.

    board = find_board(paths, None, task)            which board is it?
    looks = detect_boards(paths, board, task)        where is it in each photo?
    calibration = calibrate(looks, board, task)      which camera explains that?

The packages of this floor know files and core types; no stage of the pipeline knows them.
"""
