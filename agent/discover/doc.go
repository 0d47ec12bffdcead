// Package discover lists what is connected to a board, with the lines of a configuration
// that make things of it.
//
// [Look] looks; [Report.Text] and [Report.JSON] print. What a kind of thing can be made of
// is said by one function for each kind, which turns connected parts into candidates.
//
// Nothing is changed on the way: no GPIO line is requested, no chip is written to, no
// camera is started, no screen is drawn on.
package discover
