package flowhost

import "strings"

// Status is the state of a deployment, in the words of AWS IoT Things Graph.
type Status string

// The states of a deployment.
const (
	NotDeployed        Status = "NOT_DEPLOYED"         // kept, and not active
	Bootstrap          Status = "BOOTSTRAP"            // it is activated when an agent runs with this folder
	DeployInProgress   Status = "DEPLOY_IN_PROGRESS"   // it is being activated
	DeployedInTarget   Status = "DEPLOYED_IN_TARGET"   // active
	UndeployInProgress Status = "UNDEPLOY_IN_PROGRESS" // it is being taken out of force
	Failed             Status = "FAILED"               // it could not be activated; tried again at the next start
	PendingDelete      Status = "PENDING_DELETE"       // it is being deleted
	DeletedInTarget    Status = "DELETED_IN_TARGET"    // it is gone
)

// Words is the status as people read it: "Deployed in target".
func (s Status) Words() string {
	text := strings.ToLower(strings.ReplaceAll(string(s), "_", " "))
	if text == "" {
		return "Unknown"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// wanted reports whether the deployment is to be active.
func (s Status) wanted() bool {
	switch s {
	case Bootstrap, DeployInProgress, DeployedInTarget, Failed:
		return true
	}
	return false
}
