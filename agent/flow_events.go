package agent

import (
	"context"

	"pithings/agent/events"
	"pithings/flow"
)

// Events implements Happening.
func (s *flowService) Events() []events.Source {
	return []events.Source{
		{Kind: "deployment", List: s.listed, Changes: s.changed.follow},
		{Kind: "execution", Follow: following(&s.recorded.executions)},
		{Kind: "step", Follow: following(&s.recorded.steps)},
	}
}

// listed are the deployments by name.
func (s *flowService) listed() map[string]any {
	all := map[string]any{}
	if f := s.current(); f != nil {
		list, _ := f.List(context.Background()) // it has no error
		for _, d := range list {
			all[d.Name] = d
		}
	}
	return all
}

// stepEvent is an event of an execution.
type stepEvent struct {
	Execution string `json:"execution"`
	flow.ExecutionEvent
	Cut bool `json:"cut,omitempty"` // without input and output, which are long
}

// Short implements events.Long.
func (e stepEvent) Short() any {
	e.Payload.Input, e.Payload.Output, e.Cut = nil, nil, true
	return e
}

// recorded hands on what the executions of flows do. It implements engine.Recorder.
type recorded struct {
	executions emits[flow.Execution]
	steps      emits[stepEvent]
}

// Started implements engine.Recorder.
func (r *recorded) Started(x flow.Execution) { r.executions.emit(x) }

// Event implements engine.Recorder.
func (r *recorded) Event(id string, e flow.ExecutionEvent) {
	r.steps.emit(stepEvent{Execution: id, ExecutionEvent: e})
}

// Ended implements engine.Recorder.
func (r *recorded) Ended(x flow.Execution) { r.executions.emit(x) }
