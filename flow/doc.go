// Package flow describes flows: an event of one thing starts a sequence of steps
// on others, as AWS IoT Things Graph did while it lived.
//
// A [Definition] is a flow: steps that wait for events and set events. A
// [Deployment] says which things play the flow's roles and what starts it; it is
// the unit that is deployed, and deployed from a snapshot. Both can be written
// in two formats, ours in YAML (flow/flowyaml) and Things Graph's in GraphQL
// (flow/tdm), and are checked by [Deployment.Validate]. Package flow/engine runs
// deployments, on devices that it knows by their events and actions only: what
// carries those, MQTT topics or a call within the process, is the business of
// the [Device] that it is given.
//
// # What a flow means
//
// The documentation of Things Graph leaves much open. This is what holds here:
//
//   - A step without in-events starts with the flow. Others start when all of
//     their in-events have been set, or when their expression over events is true
//     after an event has been set. A step starts once in an execution, so steps
//     cannot form loops. Steps that can start run in parallel.
//   - A step whose condition is false is skipped: it does nothing, and the flow
//     continues as if it had succeeded, its out-events included.
//   - A step that succeeds sets its out-events. A choice sets, besides, the events
//     of its first rule that is true, or of its default; none of them ends that
//     branch.
//   - A step that fails is tried again by the first of its retries that fits the
//     error and has attempts left; see [Retry]. If none has, its first catch that
//     fits sets its events and the flow continues, without the step's out-events. A
//     failed step without a catch fails the execution: steps that run are
//     cancelled, and no other starts.
//   - Each attempt of a step has the step's time-out. It counts from the moment
//     the attempt wants the device, waiting for its turn included, because the effect
//     of a command is not wanted later than that.
//   - A step that waits lets time pass, and its deadline outlives the process. A step
//     that runs a flow ends with it, and its failure is the step's. A step that sets
//     kept variables has done so for all executions after it.
//   - A trigger with a condition that has to hold for some time starts its flow once
//     for each time that it does. A trigger at a moment of the day starts it once a
//     local day; what is missed is not made up, unless the trigger says for how long.
//   - An execution succeeds when no step runs and none can start.
package flow
