package flowhost

import "time"

// DeployRequest is what is to be deployed.
type DeployRequest struct {
	Files   []File  `json:"files"`
	Options Options `json:"options"`
	// Deployment, instead of files, is one that is kept: it is deployed again as its
	// Revision was, or as it is if that is 0. The options are added to its own.
	Deployment string `json:"deployment,omitempty"`
	Revision   int    `json:"revision,omitempty"`
}

// Deployed is a deployment in short.
type Deployed struct {
	Name     string    `json:"name"`
	Status   Status    `json:"status"`
	Revision int       `json:"revision,omitempty"` // 0 of the configuration's
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	// Source is "configuration" for a flow that the configuration names.
	Source string        `json:"source,omitempty"`
	Flows  []engineStats `json:"flows,omitempty"` // while it is active
	// Notes are worth reading at a deployment, though nothing is wrong.
	Notes []string `json:"notes,omitempty"`
}
