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
//   - The flow's overlap policy decides what happens when it is started while it runs;
//     whatever the policy, the number of executions and of waiting triggers is
//     bounded, and what is dropped is counted and logged once.
//   - An execution that acts when the engine ends is aborted, and one that acts
//     when the process is killed is ABORTED in the history at the next start. None
//     is run again: actions are not idempotent, and a picture that was asked for
//     before the lights went out is not wanted afterwards.
//   - An execution all of whose steps under way wait continues in the next process, at
//     the deadline that it had. What is kept of it is removed before anything moves,
//     so that it continues once.
//   - One timer serves all waits, however many flows there are, and none runs while
//     nothing is due, but for a look at the wall clock each hour if anything depends
//     on that.
//
// # Faults of things
//
// A step whose thing never answers fails with the error Timeout. An answer that
// comes later, or twice, belongs to no step; the carrier logs it. A thing that refuses fails the step with the error that its carrier names, else
// TaskFailed.
//
// # The files, from the bottom up
//
//	agenda, dates, lane, program, fault, typed   know nothing of executions
//	memory     what a deployment keeps over restarts
//	parts      what all deployments share, and a scene: one deployment as its executions see it
//	occasion   what expressions see
//	execution  one run of a flow; tree and checkpoint: how it outlives the process
//	wait, call, vars, activity, retry, steps     what a step does, and what follows from it
//	runner     starts the executions of one flow, by its overlap policy
//	trigger    with ticker, daily, hold and watch: what starts flows
//	deployed, resume, engine                     deployments come and go
package engine
