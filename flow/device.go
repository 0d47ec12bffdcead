package flow

import (
	"pithings/device"
)

// Values are the named values of an event, of an action's arguments or of its answer.
type Values = device.Values

// The names of errors that the engine itself gives. Retries and catches know
// them with and without "States." before them, and any other error by
// ErrorTaskFailed or its own name.
const (
	ErrorTimeout    = "Timeout"    // the step's time-out passed
	ErrorTaskFailed = "TaskFailed" // an action or a web service failed
	ErrorRuntime    = "Runtime"    // an expression could not be computed, or a check failed
	ErrorAll        = "ALL"        // in retries and catches only: whatever the error
)
