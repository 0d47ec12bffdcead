// Package collect turns the values that things report into rounds of data and alarms, as
// InHand's Device Supervisor does. It is pure: values and the time go in, rounds and alarm
// events come out, and it waits for nothing.
//
//	Variable    what is collected, and how it is scaled
//	Group       how often variables are sampled (polling) and handed over (upload)
//	Collector   the latest value of each variable; Poll returns the rounds that are due
//	AlarmRule   two conditions on a variable
//	Alarm       the state of a rule: Observe and Elapsed return triggers and clears
//
// The semantics are those of the Device Supervisor manual (versions 1.2.5 and 2.0):
//
//   - A group is polled at its polling interval, and handed over at the first poll at
//     which its upload interval has passed. So a round holds values of one moment, and
//     rounds leave in the order of their times.
//   - realtime: each round has the variable. onchange: only rounds before which its value
//     moved by more than its dead zone have it. A round without variables is none.
//   - A value's status is 1 while its thing works and has reported it, and 0 otherwise.
package collect
