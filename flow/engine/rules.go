package engine

// rules are the rules of executions that a test has switched off, to see that
// the test would notice. Nothing but tests sets any.
type rules uint32

const (
	ruleWait       rules = 1 << iota // a step waits for all of its in-events
	ruleOnce                         // and starts once
	ruleCondition                    // a false condition skips the step
	ruleSkipGoesOn                   // a skipped step sets its out-events
	ruleOut                          // a step that succeeds sets its out-events
	ruleFirst                        // of a choice's rules the first true one counts alone
	ruleDefault                      // the default counts only if no rule is true
	ruleFails                        // a failed step without a catch fails the execution
	ruleNoMore                       // and after that no step starts
	ruleCancels                      // and those that run are cancelled
	ruleRetryFits                    // only errors that a retry names are tried again
	ruleAttempts                     // as often as the retry says
	ruleBackoff                      // with growing pauses
	ruleCatchFits                    // only errors that a catch names are caught
	ruleCatchSets                    // a catch sets its events
	ruleCatchNoOut                   // and the step's own out-events are not set
	ruleTimeout                      // an attempt has a time-out
	ruleOneCall                      // one action at a time is in flight on a thing
	ruleParallel                     // steps that can start run in parallel
	ruleChecks                       // checks are looked at
	ruleOutput                       // answers are kept in their variables
	ruleNow                          // a step starts as soon as it can
	ruleEnd                          // the execution ends when no step runs, and not before

	ruleCount = iota
)

// on tells whether a rule is in force.
func (e *Engine) on(r rules) bool { return e.off&r == 0 }
