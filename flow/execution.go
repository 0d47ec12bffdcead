package flow

import "time"

// Status is the state of an execution, in the cloud service's words.
type Status string

// The states of an execution.
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	Aborted   Status = "ABORTED" // by hand, by a newer one, or because the engine ended
)

// EventType is what happened in an execution.
type EventType string

// The types of events. StepSkipped and ActivityRetried are ours; the others are
// the cloud service's.
const (
	ExecutionStarted   EventType = "EXECUTION_STARTED"
	ExecutionSucceeded EventType = "EXECUTION_SUCCEEDED"
	ExecutionFailed    EventType = "EXECUTION_FAILED"
	ExecutionAborted   EventType = "EXECUTION_ABORTED"
	StepStarted        EventType = "STEP_STARTED"
	StepSucceeded      EventType = "STEP_SUCCEEDED"
	StepFailed         EventType = "STEP_FAILED"  // also if a catch lets the flow continue
	StepSkipped        EventType = "STEP_SKIPPED" // its condition was false
	ActivityScheduled  EventType = "ACTIVITY_SCHEDULED"
	ActivityStarted    EventType = "ACTIVITY_STARTED" // it is this one's turn on the thing
	ActivitySucceeded  EventType = "ACTIVITY_SUCCEEDED"
	ActivityFailed     EventType = "ACTIVITY_FAILED"
	ActivityRetried    EventType = "ACTIVITY_RETRIED" // a retry fits; the next attempt follows after its wait
)

// ExecutionEvent is one message of an execution's history.
type ExecutionEvent struct {
	// ID counts the events of an execution, from 1.
	ID      int          `json:"messageId"`
	Type    EventType    `json:"eventType"`
	Time    time.Time    `json:"timestamp"`
	Payload EventPayload `json:"payload"`
}

// EventPayload is what an event is about. Which fields there are depends on
// its type.
type EventPayload struct {
	Step    string   `json:"step,omitempty"`
	Attempt int      `json:"attempt,omitempty"` // from 1
	Thing   string   `json:"thing,omitempty"`
	Service string   `json:"service,omitempty"`
	Action  string   `json:"action,omitempty"`
	Flow    string   `json:"flow,omitempty"` // that the step runs
	Input   Values   `json:"input,omitempty"`
	Output  any      `json:"output,omitempty"`
	Error   string   `json:"error,omitempty"`   // the error's name
	Message string   `json:"message,omitempty"` // and what it says
	Rule    string   `json:"rule,omitempty"`    // of a choice, a retry or a catch: its name or #number
	Wait    string   `json:"wait,omitempty"`    // until the next attempt
	Events  []string `json:"events,omitempty"`  // that are set now
	Trigger string   `json:"trigger,omitempty"`
}

// Execution is one run of a flow.
type Execution struct {
	// ID is <flow's URN or name>_<start>_<trigger>_<uuid>.
	ID         string    `json:"id"`
	Deployment string    `json:"deployment"`
	Revision   int       `json:"revision,omitempty"`
	Flow       string    `json:"flow"`
	Trigger    string    `json:"trigger"`
	Parent     string    `json:"parent,omitempty"` // the execution whose step runs it
	Status     Status    `json:"status"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
	// Reason is why it failed or was aborted.
	Reason string `json:"reason,omitempty"`
}
