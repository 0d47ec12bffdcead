// Package rule is the side of the gateway that faces the cloud: publish rules, subscribe rules
// and generic functions, with scripts in Python (package script) that reshape what goes up
// and what comes down.
//
// What a script sees is the API of InHand's Device Supervisor, 1.x and 2.x:
//
//	shapes.go     data_collect, the messages of 2.x and of the local bus
//	wizard.go     wizard_api
//	quickfaas.go  the modules of 2.x
//	recall.go     the recalls of both
//	modules.go    logging, common.Logger, http
//
// A program is a script at work: load.go makes it, program.go calls its functions, callback.go
// those that wait for an answer, and stats.go has what becomes of the calls.
//
// A rule whose script goes wrong is stopped for that call, and one that meets a limit pauses;
// other rules are not affected: each has its own script, and runs in a goroutine of its own
// while it works. turns.go has the order in which their results are published.
package rule
