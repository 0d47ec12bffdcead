package agent

import "pithings/agent/events"

// Events implements Happening.
func (s *gatewayService) Events() []events.Source {
	return []events.Source{{Kind: "alarm", List: s.listed}}
}

// listed are the alarms by name.
func (s *gatewayService) listed() map[string]any {
	all := map[string]any{}
	if g := s.current(); g != nil {
		for _, a := range g.Alarms() {
			all[a.Name] = a
		}
	}
	return all
}
