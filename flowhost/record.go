package flowhost

import (
	"pithings/flow"
	"pithings/flow/engine"
	"pithings/flow/history"
)

// both is a history, and one who follows it.
type both struct {
	*history.History
	to engine.Recorder
}

// Started implements engine.Recorder.
func (b both) Started(x flow.Execution) {
	b.History.Started(x)
	b.to.Started(x)
}

// Event implements engine.Recorder.
func (b both) Event(id string, e flow.ExecutionEvent) {
	b.History.Event(id, e)
	b.to.Event(id, e)
}

// Ended implements engine.Recorder.
func (b both) Ended(x flow.Execution) {
	b.History.Ended(x)
	b.to.Ended(x)
}
