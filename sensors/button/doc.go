// Package button reads whatever is on or off on a GPIO line: a button, a door contact,
// a float switch, a motion sensor with an inverted output.
//
// A contact that closes or opens bounces: for some milliseconds the line jumps between
// both levels. What Watch makes of it:
//
//   - A level counts when it has lasted for Opts.Debounce. Its event has the time at
//     which the line was first seen at that level, so nothing seems to happen late.
//   - [On] and [Off] are the state. The first of them says how the line was found, and
//     is no press: a button that is held while the program starts was not pressed.
//   - [Pressed] and [Released] are the changes after that, and are reported at once.
//   - [LongPress] follows Pressed when the line stays on for Opts.LongPress.
//   - [DoublePress] follows the second Pressed when it comes within Opts.DoublePress of
//     the first. A third begins anew. Nothing waits for a second press: a program that is
//     to do one thing for one press and another for two waits itself.
//   - [Stuck] is reported when the line has been on for Opts.Stuck, [Unstuck] before the
//     Off that ends it: a button on which something leans, a wire that touches ground.
//   - [Chatter] is reported once when the line does not come to rest: a wire that has come
//     off and picks up the mains. The level does not count then, and the line's edges are
//     switched off but for a try in between, so that they cost nothing. [Quiet] follows
//     when the line rests; what the state is then is not taken for a press.
//   - A line that has gone, for example with the USB adapter that it is on, ends Watch
//     with an error within seconds.
//
// # Times
//
//	Opts.Debounce      30 ms   0 to 10 s; contacts bounce for 1 to 10 ms, old ones for more
//	Opts.LongPress    800 ms   from Pressed on; 0: none
//	Opts.DoublePress  400 ms   from the first Pressed to the second; 0: none
//	Opts.Stuck          none   from On on
//	Opts.Poll            1 s   1 ms to 1 s; the level is read so often without an edge, too
//	chatter                    64 edges within 1 s, or 1 s without a rest of Opts.Debounce
//	quiet                      fewer than 8 edges in 1 s; it is tried every 2 s
//
// # Wiring
//
// A contact between the line and ground needs a pull-up and reads low when it is closed:
// gpio.PullUp and ActiveLow, which are the defaults. A contact between the line and 3.3 V
// needs gpio.PullDown. Something that drives its output needs no pull: gpio.Float.
//
// # References
//
// J. Ganssle, "A Guide to Debouncing" (2004, revised 2014), measured 18 kinds of switches:
// 1.5 ms on average, 6.2 ms at most, but for one that bounced for 157 ms.
package button
