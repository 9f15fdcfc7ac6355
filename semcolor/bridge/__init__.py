"""The bridge: a child process of the GIMP plug-in that speaks to the worker for it.

The plug-in's Python has no numpy and no ZeroMQ, so it sends raw pixels over stdin and stdout, in
the frames of :mod:`semcolor.shared.bridge_schema`. It sends one request at a time; the bridge
answers with any number of `progress` frames and exactly one `result` or `error`:

    {type: "progress", stage, fraction}       a `Stage`; 0..1
    {type: "error", code, parameters}         and `message`, for plug-ins of other versions

    hello {protocol}                          → {protocol, version}
    connect {invitation}                      → {address, state, device}, all empty for “local”
    begin_photo {width, height, format}       then `rows` with the pixels, strip by strip
    segment {detail}                          → {lowered}; the predicted labels are the current ones
                                              from now on. `lowered`: at which detail, if memory
                                              sufficed for no more; else 0
    begin_labels {width, height}              with the palette as the image gives it back, then
                                              `rows` with "R'G'B'A u8"; the last one
                                              → {ambiguous}: how many pixels of all labels are
    edit_labels {x, y, width, height, by_hand}
                                              then `rows` of this rectangle, as for begin_labels.
                                              `by_hand`: the restorer has painted that
    label_rows {first_row, rows, x?, width?}  → payload "R'G'B'A u8"
    snap_labels {x, y, width, height, class_id, selected, locked}
                                              → {x, y, width, height, pixels}: where, and at how
                                              many pixels, fitting the class in this rectangle to
                                              the photo's edges changed labels; with `selected`,
                                              only inside the selection that was sent last; what
                                              is of a class in `locked`, a list of ids, stays that
    refine_labels {class_id, selected, locked, everywhere}
                                              → the same, of labelling the object under what was
                                              painted by hand last, and, `everywhere`, what is
                                              plainly the same
    clean_labels {}                           → {x, y, width, height, pixels}: where, and how many,
                                              pixels were impure; label_rows has them pure
    encode_labels {}                          → payload: the current labels as an indexed PNG
    decode_labels {name}, payload: such a file, or any other that the command line reads
                                              → {ambiguous}; these are the current labels
    colorize {detail, depth}                  → {}
    stroke {x, y, width, height, by_hand, detail, depth}, payload: this rectangle of the label
                                              layer, "R'G'B'A u8"; empty where that is larger than a
                                              payload may be and went before, by edit_labels
                                              → {x, y, width, height, rows, ambiguous, lowered},
                                              payload: the first `rows` rows, "R'G'B' u8" or
                                              "R'G'B' u16" by depth, of where colour visibly
                                              differs from the last colour, which may be nowhere
                                              (width 0), or everywhere; color_rows has the rest
    recolor {detail, depth}                   → the same, where nothing was painted
    color_rows {first_row, rows, x?, width?}  → {lowered}, payload as from stroke, by the detail and
                                              depth of the last colorize, stroke or recolor
    begin_mask {x, y, width, height}          then `rows` with "Y u8" of this rectangle: a selection
    suggest {detail, x?, y?}                  → {colors: [{a, b, share, rgb: "#rrggbb"}]}, at most
                                              6, most likely first, for the object that has this
                                              pixel, or else for the selection
    color_notes {}, payload: the text of :mod:`semcolor.shared.color_notes`
                                              → {}; objects have these colours of their own, from
                                              the next colorize, stroke or recolor on
    status {}                                 → {state, device, models}: a `WorkerState`; and
                                              `error` {code, parameters} where something is wrong
    check {}                                  → {problems, report}: how many findings of `semcolor
                                              doctor` are not fine, and all of them as a text

When stdin ends, the work in hand is cancelled and the bridge ends.
"""
