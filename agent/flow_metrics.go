package agent

import (
	"maps"
	"slices"

	"pithings/api"
	"pithings/flow/engine"
)

// Collect implements Collector: what the flows did, by deployment.
func (s *flowService) Collect(m *api.Metrics) {
	stats := s.stats()
	each := func(name, kind, help string, samples func(s *engine.Stats, sample func(v float64, labels ...string))) {
		m.Family("pithings_"+name, kind, help)
		for _, deployment := range slices.Sorted(maps.Keys(stats)) {
			for i := range stats[deployment] {
				s := &stats[deployment][i]
				samples(s, func(v float64, labels ...string) {
					m.Sample(v, append([]string{"deployment", deployment, "flow", s.Flow}, labels...)...)
				})
			}
		}
	}
	each("flow_started_total", "counter", "Executions of a flow that were started since it was deployed.", func(s *engine.Stats, sample func(float64, ...string)) { sample(float64(s.Started)) })
	each("flow_ended_total", "counter", "Executions of a flow that ended, by how.", func(s *engine.Stats, sample func(float64, ...string)) {
		sample(float64(s.Succeeded), "status", "SUCCEEDED")
		sample(float64(s.Failed), "status", "FAILED")
		sample(float64(s.Aborted), "status", "ABORTED")
	})
	each("flow_dropped_total", "counter", "Events that started no execution of a flow, by reason. overlap: the flow was running; age: they came too late; error: the trigger could not be computed.", func(s *engine.Stats, sample func(float64, ...string)) {
		sample(float64(s.Dropped), "reason", "overlap")
		sample(float64(s.TooOld), "reason", "age")
		sample(float64(s.Errors), "reason", "error")
	})
	each("flow_running", "gauge", "Executions of a flow that run.", func(s *engine.Stats, sample func(float64, ...string)) { sample(float64(s.Running)) })
	m.Family("pithings_flow_unused_messages_total", "counter", "Messages from things at the broker that no flow could use, by reason. late: answers after the time-out; second: further answers; other: answers to other people's commands; unread: not understood.")
	f := s.current()
	if f == nil {
		return
	}
	unused := f.Unused()
	for _, thing := range slices.Sorted(maps.Keys(unused)) {
		u := unused[thing]
		for _, r := range []struct {
			reason string
			n      uint64
		}{{"late", u.Late}, {"second", u.Second}, {"other", u.Other}, {"unread", u.Unread}} {
			m.Sample(float64(r.n), "thing", thing, "reason", r.reason)
		}
	}
}
