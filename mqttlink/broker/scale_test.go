//go:build !faults

package broker

// attackScale divides the attacks; make test-faults runs them whole.
const attackScale = 10
