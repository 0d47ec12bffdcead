package jobs

import "context"

// Settings are what a configuration says of jobs.
type Settings struct {
	Enabled bool     `json:"enabled" default:"false" change:"local" jsonschema:"whether jobs are done that AWS IoT Jobs, or a cloud with the same topics, queues for this device"`
	Allow   []string `json:"allow" default:"update-config,restart,diagnose,run-flow" enum:"update-config,restart,diagnose,run-flow,reboot" change:"local" jsonschema:"actions that jobs may have; reboot, which is not among the usual ones, also needs pithings-reboot.socket"`
}

// The actions of an agent.
const (
	UpdateConfig = "update-config"
	Restart      = "restart"
	Diagnose     = "diagnose"
	RunFlow      = "run-flow"
	Reboot       = "reboot"
)

// Allowed returns handlers for the actions of a list. The others are rejected with the key that
// allows them.
func Allowed(all map[string]Handler, allow []string) map[string]Handler {
	handlers := make(map[string]Handler, len(all))
	for action := range all {
		handlers[action] = func(_ context.Context, j *Job) Result {
			return Reject(j.Action + " is not allowed on this device: its owner does not list it in awsiot.jobs.allow")
		}
	}
	for _, action := range allow {
		if h := all[action]; h != nil {
			handlers[action] = h
		}
	}
	return handlers
}
