package tdm

import "strings"

// workflow is a query with @workflowType, as written.
type workflow struct {
	id          urn
	pos         Pos
	name        string
	description string
	params      []variable
	variables   []field
	steps       []*step
	triggers    []*trigger        // the default ones that the console kept in @triggers
	declared    map[string]string // parameters and variables as they are spelled, by name and by name in lower case
}

// step is one step of a workflow.
type step struct {
	pos         Pos
	name        string
	description string
	condition   string
	conditionAt Pos
	in          []string // all of them start the step
	inExpr      string   // instead: an expression over events
	inAt        Pos
	out         []string
	activity    activity
	retries     []retry
	catches     []catch
	checks      []check
}

// activity is what a step does: an action of a device or a service, or a choice.
type activity struct {
	pos      Pos
	kind     activityKind
	model    urn // device model or service
	device   urn // the device that the console put behind @device, if it did
	deviceID string
	deviceAt Pos
	out      string
	outAt    Pos
	action   string
	actionAt Pos
	args     []arg
	rules    []rule
	fallback []string // events of a choice's default
}

type activityKind int

const (
	noActivity activityKind = iota
	deviceActivity
	serviceActivity
	choiceActivity
)

type rule struct {
	pos    Pos
	name   string
	expr   string
	exprAt Pos
	events []string
}

type retry struct {
	pos         Pos
	name        string
	errors      []string
	condition   string
	conditionAt Pos
	interval    string
	intervalAt  Pos
	backoff     float64
	attempts    int
}

type catch struct {
	pos         Pos
	name        string
	errors      []string
	condition   string
	conditionAt Pos
	do          []statement
	events      []string
}

type check struct {
	pos         Pos
	name        string
	condition   string
	conditionAt Pos
	pass, fail  []statement
}

type statement struct {
	pos  Pos
	expr string
}

// outName is what out: names, with or without $ and braces.
func (a activity) outName() string {
	return strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(a.out), "$"), "{"), "}"), "$")
}
