// Package engine runs deployed flows: it watches things for the events that
// start flows, keeps the clocks, and runs executions by the rules that package
// flow states.
//
// # Guarantees
//
//   - An event finds its flows through an index; evaluating their conditions and
//     starting an execution takes microseconds, and waits for no disk.
//   - Of one thing, one action at a time is in flight, whatever the flows of an
//     engine do: answers carry no sign of what they answer. Others wait for their
//     turn, at most MaxWaiting of them; one that does not get it within its step's
//     time-out fails like a thing that does not answer.
//   - What happens when a flow is started while it runs is the flow's to say;
//     whatever the policy, the number of executions and of waiting triggers is
//     bounded, and what is dropped is counted and logged once.
//   - An execution that runs when the engine ends is aborted, and one that runs
//     when the process is killed is ABORTED in the history at the next start. None
//     is run again or goes on: actions are not idempotent, and a picture that was
//     asked for before the lights went out is nobody's wish afterwards.
//
// # Faults of things
//
// A thing that never answers fails the step with the error Timeout. An answer
// that comes later, or twice, is the carrier's to tell and belongs to no step. A
// thing that refuses fails the step with the error that its carrier names, else
// TaskFailed.
package engine
