// Package hcsr501 reads an HC-SR501 passive infrared motion sensor on a GPIO
// line.
//
// The sensor's output is high, 3.3 V, while it sees warm bodies move, and for
// some time after: 3 s to 5 min, set by its left knob. Then it is blind and low
// for about 3 s. With its jumper at H every motion prolongs the pulse, at L
// pulses have a fixed length. For the first minute after power-up the output
// means nothing, and may go high up to three times.
//
// What Watch makes of it:
//
//   - A level counts when it has lasted for Opts.Debounce. The level is read
//     again after each edge and, in case that an edge was missed, at least once
//     every Opts.Poll.
//   - Until Opts.WarmUp after New, nothing is reported. If the line is high when
//     the warm-up ends, motion begins at that moment: with the jumper at H
//     a person who stays would otherwise never be noticed.
//   - Motion ends when the line has been low for Opts.Hold. If it goes high
//     again before, the motion continues.
//   - Motion that has not ended Opts.StuckHigh after it began is reported as a
//     fault: a sensor that faces a heater, a wire that touches the supply, a
//     sensor that goes high again and again before the hold time is over. The
//     fault ends with the motion.
//   - A line that has gone, for example with the USB adapter that it is on,
//     ends Watch with an error within seconds.
//
// # Datasheet
//
// https://www.mpja.com/download/31227sc.pdf
package hcsr501
