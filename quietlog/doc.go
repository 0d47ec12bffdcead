// Package quietlog bounds what others can make a program log. Whoever may send
// messages, open connections or unplug a part can cause the same line any number
// of times; a card and a reader bear only so many.
//
// There are two ways to use it, on one state machine (gate):
//
//   - [Limit] wraps a logger, [New] its slog.Handler. Every line passes it; what comes too often is
//     held back and summed up:
//
//     ERROR picture not shown thing=TG_Screen err="…"                    (the first ten)
//     ERROR picture not shown thing=TG_Screen err="…" repeated=1204 within=1m0s
//
//     The pauses between two sums double from one second to one minute. Lines
//     that differ in their reason (err, reason, topic) are counted apart; who
//     varies the reason meets the bound of the kind, and who varies the kind that
//     of the whole log. While nothing is held back no timer runs.
//
//   - [Repeats] is for a condition that lasts, such as a network that is away:
//     its line is written once, and again after one minute, two, four … up to an
//     hour, when it still comes then, with the number of times in between.
//
// On the way, a Handler knows the part of the program that a line is of ([Part]), whose least level
// may be set while it runs ([SetLevels]), and [Recent] keeps the last lines.
//
// Memory is bounded, whatever comes: see the constants. Texts are cut to
// [MaxText]. [Clip] does the same for what is echoed in errors.
package quietlog
