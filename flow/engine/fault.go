package engine

import (
	"errors"
	"strconv"
	"strings"

	"pithings/flow"
)

// The reasons for which executions are aborted.
var (
	errEngineEnds  = errors.New("the engine was stopped")
	errUndeployed  = errors.New("the deployment was undeployed")
	errRedeployed  = errors.New("a new revision was deployed")
	errRestarted   = errors.New("the flow was started again (overlap: restart)")
	errAbortedHand = errors.New("aborted by hand")
)

// errFailed is why steps are cancelled when another one has failed.
var errFailed = errors.New("another step failed")

// stepError is why an attempt failed.
type stepError struct{ name, message string }

// cancelledName is the error of steps that are cancelled. No retry and no catch
// is meant for it.
const cancelledName = "Cancelled"

func (e *stepError) cancelled() bool { return e.name == cancelledName }

// errLeft ends a step that another process is to continue. The history has nothing of it.
var errLeft = &stepError{name: "Left"}

func (e *stepError) left() bool { return e.name == errLeft.name }

// named reports whether one of the names fits: the error's own, TaskFailed for all
// but time-outs, or ALL.
func (e *stepError) named(names []string) bool {
	for _, n := range names {
		n = strings.TrimPrefix(n, "States.")
		switch {
		case strings.EqualFold(n, flow.ErrorAll), strings.EqualFold(n, e.name):
			return true
		case strings.EqualFold(n, flow.ErrorTaskFailed) && e.name != flow.ErrorTimeout:
			return true
		}
	}
	return false
}

// faultOf is the error of a step whose action failed with err, which may have a name.
func faultOf(err error) *stepError {
	name := flow.ErrorTaskFailed
	var named interface{ ErrorName() string }
	if errors.As(err, &named) && named.ErrorName() != "" {
		name = named.ErrorName()
	}
	return &stepError{name, err.Error()}
}

// childError is why a flow failed that a step ran.
type childError struct{ name, message string }

func (e childError) Error() string     { return e.message }
func (e childError) ErrorName() string { return e.name }

// errLeftStep is errLeft for callers of actions.
var errLeftStep error = childError{name: errLeft.name}

// ruleName names a rule, a check, a retry or a catch in messages: by its name, or as the
// i-th of its list.
func ruleName(name string, i int) string {
	if name != "" {
		return name
	}
	return "#" + strconv.Itoa(i+1)
}
