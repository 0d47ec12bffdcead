package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"pithings/agent/config"
	"pithings/agent/configure"
	"pithings/agent/web"
	"pithings/api"
	"pithings/conf"
	"pithings/device"
	"pithings/quietlog"
	"pithings/spool/accepted"
	"pithings/spool/control"
)

// Settings from afar stand over the configuration file (config.Layer), and are kept in the
// state folder (spool/accepted). Whoever gives them, a command, a job or a shadow, gives them
// to Accept: it is their one writer. They are on trial until the connections that they have
// changed stand again; otherwise those before come back by themselves. A process that ends
// meanwhile finds them on trial when it starts again.

// Accept makes changes to the settings part of the configuration: an object as in a
// configuration, but with things by their names; null removes what was accepted. from says who
// gives them. If they are wrong, or not to be changed from afar, nothing changes, and the error
// is a *conf.Error or says why.
func (a *Agent) Accept(ctx context.Context, from string, changes map[string]any) (Reloaded, error) {
	return a.turn(ctx, func() (did Reloaded, err error) {
		r, err := a.keep(&config.Candidate{From: from, Changes: changes})
		if err != nil {
			return did, err
		}
		return a.apply(r)
	})
}

// AcceptLater is Accept for those whom applying the settings may end: it returns once they are
// checked and kept, as the revision of that number. apply begins to apply them, and returns.
func (a *Agent) AcceptLater(ctx context.Context, from string, changes map[string]any) (number int, apply func(), err error) {
	var r accepted.Revision
	done, err := a.ask(ctx, func() (_ Reloaded, err error) {
		r, err = a.keep(&config.Candidate{From: from, Changes: changes})
		return Reloaded{}, err
	})
	if err != nil {
		return 0, nil, err
	}
	// It waits for no service, so that one that ends meanwhile does not miss what was kept.
	if did := <-done; did.err != nil {
		return 0, nil, did.err
	}
	return r.Number, applying(a, r), nil
}

// applying returns what begins to apply a revision.
func applying(a *Agent, r accepted.Revision) (apply func()) {
	return func() {
		a.later.Go(func() { _, _ = a.turn(a.running, func() (Reloaded, error) { return a.apply(r) }) })
	}
}

// reconfigure is AcceptLater for a command.
func (a *Agent) reconfigure(ctx context.Context, changes device.Values) (device.Values, func(), error) {
	number, apply, err := a.AcceptLater(ctx, "command", changes)
	return device.Values{"revision": number}, apply, err
}

// keep checks changes and keeps them, on trial.
func (a *Agent) keep(k *config.Candidate) (r accepted.Revision, err error) {
	if a.o.Load == nil {
		return r, ErrNoReload
	}
	if err := a.folder.own(); err != nil {
		return r, err
	}
	k.State = a.folder.Dir
	if _, _, err := a.o.Load(k.Over); err != nil {
		a.log.Warn("settings are refused", "from", k.From, "err", redactorOf(typed(k)).text(err.Error()))
		return r, err
	}
	k.Revision.Trial = true
	if r, err = accepted.Put(a.folder.Dir, k.Revision); err != nil {
		return r, err
	}
	a.log.Info("settings accepted", "from", k.From, "revision", r.Number)
	return r, nil
}

// configuring is the same over HTTP.
func configuring(a *Agent) *configure.API {
	return &configure.API{State: a.folder.Dir, Current: a.current, Load: a.o.Load, Keep: a.keep, Fixed: isFixed, Who: web.Who, Log: a.log,
		Apply: func(r accepted.Revision) { applying(a, r)() },
		Clean: func(c *config.Config, k *config.Candidate) func(string) string {
			return redactorOf(append(secretsOf(c), typed(k)...)).text
		},
		Turn: func(ctx context.Context, do func() error) error {
			done, err := a.ask(ctx, func() (Reloaded, error) { return Reloaded{}, do() })
			if err != nil {
				return err
			}
			return (<-done).err // also for a client that has gone: do writes what its handler reads
		}}
}

// typed are the secrets that come with a change.
func typed(k *config.Candidate) (all []string) {
	for _, c := range k.Connections {
		if c != nil {
			all = append(all, c.Password)
		}
	}
	return all
}

// apply makes what is kept the configuration that runs, and takes it back if that fails.
func (a *Agent) apply(r accepted.Revision) (Reloaded, error) {
	if over, err := accepted.Outcome(a.folder.Dir, r.Number); over {
		return Reloaded{}, err // before its turn: by another reload, or with those before it
	}
	did, err := a.reload()
	if err == nil {
		a.prove(did.Connections)
		return did, nil
	}
	tried := a.trial.runs()
	a.trial.end()
	why := fmt.Sprintf("revision %d could not be applied: %s", r.Number, quietlog.OneLine(err.Error()))
	_, back := accepted.Back(a.folder.Dir, &r, why)
	a.tried.note()
	if tried { // what runs was on trial, too, and was taken back with it
		a.trial = begin(a.running, func(ctx context.Context) { a.comeBack(ctx, &r, why) })
	}
	for _, s := range a.services {
		if o, ok := s.Service.(*optional); ok {
			o.reconfigured() // what was kept does not count
		}
	}
	return did, errors.Join(err, back)
}

// prove begins the trial of the settings that were kept last, if they are on trial, after a
// reload that has changed connections. It holds for what was on trial before, too.
func (a *Agent) prove(connections []string) {
	if a.o.Load == nil {
		return
	}
	r, err := accepted.Newest(a.folder.Dir)
	if err != nil || r == nil || !r.Trial {
		return
	}
	if a.trial.runs() {
		connections = append(slices.Clone(a.waited), connections...)
	}
	a.trial.end()
	if stands(r, a.o.Load) {
		a.try(*r, connections)
		return
	}
	if _, err := accepted.Back(a.folder.Dir, r, "the configuration file on the machine was changed"); err != nil {
		a.log.Error("settings from afar stay on trial", "revision", r.Number, "err", err)
	}
	a.tried.note()
}

// stands reports whether a revision stands over the configuration file as it is.
func stands(r *accepted.Revision, load func(config.Over) (*config.Config, []conf.Warning, error)) bool {
	base := ""
	_, _, _ = load(func(_ *config.Config, file []byte) (*config.Layer, []conf.Warning) {
		base = accepted.Sum(file)
		return nil, nil
	})
	return base == "" || base == r.Base // one that is wrong has changed nothing yet
}

// try ends the trial of a revision once the connections stand, or takes the settings before it.
func (a *Agent) try(r accepted.Revision, connections []string) {
	limit := cmp.Or(a.o.TrialTime, a.config.AWSIoT.Trial.Duration)
	a.waited = connections
	a.trial = begin(a.running, func(ctx context.Context) {
		limit, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if a.links.online(limit, connections) {
			if err := accepted.Confirm(a.folder.Dir, r.Number); err != nil {
				a.log.Error("settings from afar stay on trial", "revision", r.Number, "err", err)
			}
			a.tried.note()
			return
		}
		if ctx.Err() != nil {
			return // the next process tries them
		}
		a.log.Error("settings from afar are taken back: the agent did not connect with them", "revision", r.Number, "from", r.From)
		a.comeBack(ctx, &r, fmt.Sprintf("no connection with revision %d", r.Number))
	})
}

// comeBack takes the settings before a revision, until they run or ctx is done.
func (a *Agent) comeBack(ctx context.Context, r *accepted.Revision, why string) {
	var pauses backoff
	for {
		_, err := a.turn(ctx, func() (Reloaded, error) {
			if ctx.Err() != nil {
				return Reloaded{}, ctx.Err() // meanwhile there are others
			}
			if over, _ := accepted.Outcome(a.folder.Dir, r.Number); !over {
				if _, err := accepted.Back(a.folder.Dir, r, why); err != nil {
					return Reloaded{}, err
				}
				a.tried.note()
			}
			return a.reload()
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		a.log.Error("the settings before those from afar do not run yet; it is tried again", "revision", r.Number, "err", err)
		if !pauses.wait(ctx, 0) {
			return
		}
	}
}

// outcome waits for the end of the trial of a revision. nil is that its settings stay, an
// accepted.ErrTakenBack that they do not.
func (a *Agent) outcome(ctx context.Context, number int) error {
	for {
		changed := a.tried.wait()
		if over, err := accepted.Outcome(a.folder.Dir, number); over {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stateOf is the state folder, whatever the configuration says.
func (a *Agent) stateOf(*config.Config) string { return a.folder.Dir }

// resetSettings removes all settings from afar.
func (a *Agent) resetSettings() (Reloaded, error) {
	if a.o.Load == nil {
		return Reloaded{}, ErrNoReload
	}
	if err := a.folder.own(); err != nil {
		return Reloaded{}, err
	}
	a.trial.end()
	if _, err := accepted.Reset(a.folder.Dir, "config reset"); err != nil {
		return Reloaded{}, err
	}
	a.tried.note()
	return a.reload()
}

// resetPath is where other processes ask for that.
const resetPath = "/api/v1/config/reset"

func (a *Agent) resetRoute() api.Route {
	return api.Route{Method: http.MethodPost, Path: resetPath, For: api.Owner, Doc: "remove the settings that were accepted from afar", Gives: Reloaded{},
		Handler: api.JSON(func(r *http.Request) (any, error) { return a.turn(r.Context(), a.resetSettings) })}
}

// AskReset asks an agent to remove the settings that were accepted from afar.
func AskReset(ctx context.Context, c *control.Client) (did Reloaded, err error) {
	err = c.Do(ctx, http.MethodPost, resetPath, nil, &did)
	return did, err
}
