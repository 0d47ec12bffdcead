package main

// The exit codes.
const (
	exitOK = iota
	exitFailure
	// exitUsage is also what the Go runtime ends with: a panic, a fatal error, SIGABRT.
	exitUsage
	// exitConfig is EX_CONFIG of sysexits.h, which systemd shows by name: to start again
	// does not help. The unit names it (RestartPreventExitStatus=).
	exitConfig = 78
)

// codeError is an error with an exit code of its own.
type codeError struct {
	error
	code  int
	quiet bool // it is not printed
}

func (e *codeError) Unwrap() error { return e.error }
