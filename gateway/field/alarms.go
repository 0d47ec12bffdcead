package field

import (
	"fmt"
	"net/http"

	"pithings/api"
	"pithings/gateway/collect"
)

// ListedAlarm is an alarm as others see it.
type ListedAlarm struct {
	Name     string `json:"name"`
	Group    string `json:"group"`
	Device   string `json:"device"`
	Variable string `json:"variable"`
	Content  string `json:"content"`
	Level    int    `json:"level"`
	collect.AlarmState
}

// Alarms lists all alarms, in the order of the configuration.
func (f *Field) Alarms() []ListedAlarm {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []ListedAlarm{}
	for _, a := range f.alarms {
		all = append(all, ListedAlarm{a.Name, a.Group, a.Device, a.Variable, a.Content, a.Level, a.AlarmState})
	}
	return all
}

// Acknowledge notes that a person knows of an alarm.
func (f *Field) Acknowledge(name string) (ListedAlarm, error) {
	f.mu.Lock()
	found := false
	for _, a := range f.alarms {
		if a.Name == name {
			a.Acknowledge()
			found = true
		}
	}
	f.mu.Unlock()
	if found {
		for _, a := range f.Alarms() {
			if a.Name == name {
				return a, nil
			}
		}
	}
	return ListedAlarm{}, fmt.Errorf("there is no alarm %.100q: %w", name, api.Status(http.StatusNotFound))
}

// States are the alarms' states, to be kept.
func (f *Field) States() map[string]collect.AlarmState {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]collect.AlarmState{}
	for _, a := range f.alarms {
		if !a.Since.IsZero() {
			all[a.Name] = a.AlarmState
		}
	}
	return all
}
