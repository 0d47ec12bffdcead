package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/awsiot/shadow"
	"pithings/conf"
	"pithings/spool/accepted"
)

// What a shadow desires of the settings stands over the file as everything else that comes from
// afar does, through the same writer. But it is a state and no order: what is not desired any more
// returns to the file, one wrong value does not keep the others from taking effect, and one that
// was taken back is not set again (accepted.Shadow).

// desire is what a shadow desires of the settings.
type desire struct {
	shadow string         // its name; "" is the classic one
	within []string       // where its settings are in a configuration: things, NAME
	state  map[string]any // as JSON decodes it
}

// maxTries bounds the values that are tried one by one, each with the whole configuration.
const maxTries = 32

// Why values are rejected that may be right.
var (
	errTooMany  = errors.New("one of the new values is wrong, and there are too many to find it: desire fewer at a time")
	errNoFile   = errors.New("this agent runs without a configuration file, over which settings could stand")
	errFile     = errors.New("the configuration file on the machine is wrong at the moment")
	errNoShadow = errors.New("there is no thing of this name")
)

// accept lays what the shadow desires over the file, as far as it is right, and returns why the
// rest is rejected, by key. apply begins to apply it, and returns; nil: nothing has changed.
func (d *desire) accept(ctx context.Context, a *Agent) (rejected map[string]string, apply func(), err error) {
	var r *accepted.Revision
	done, err := a.ask(ctx, func() (_ Reloaded, err error) {
		rejected, r, err = d.lay(a)
		return Reloaded{}, err
	})
	if err != nil {
		return nil, nil, err
	}
	// As in AcceptLater it waits for no service.
	if did := <-done; did.err != nil || r == nil {
		return rejected, nil, did.err
	}
	return rejected, applying(a, *r), nil
}

// lay is accept for Run's goroutine. r is nil if nothing has changed.
func (d *desire) lay(a *Agent) (rejected map[string]string, r *accepted.Revision, err error) {
	newest, err := accepted.Newest(a.folder.Dir)
	if err != nil {
		return nil, nil, err
	}
	if len(d.state) == 0 && (newest == nil || reflect.ValueOf(newest.Shadows[d.shadow]).IsZero()) {
		return nil, nil, nil
	}
	if a.o.Load == nil {
		return d.all(errNoFile), nil, nil
	}
	if err := a.folder.own(); err != nil {
		return nil, nil, err
	}
	standing := &config.Candidate{State: a.folder.Dir, From: d.from()}
	c, _, err := a.o.Load(standing.Standing)
	if err != nil {
		return d.all(errFile), nil, nil
	}
	l := &laying{desire: d, load: a.o.Load, folder: a.folder.Dir, before: standing.Before, keys: d.keys(c)}
	if l.keys == nil {
		return d.all(errNoShadow), nil, nil
	}
	rejected, next := l.lay()
	if next == nil {
		return rejected, nil, nil
	}
	next.Trial = true
	put, err := accepted.Put(a.folder.Dir, *next)
	if err != nil {
		return nil, nil, err
	}
	a.log.Info("settings accepted", "from", d.from(), "revision", put.Number)
	return rejected, &put, nil
}

// keys are the settings that the shadow may name; nil: its thing is not there.
func (d *desire) keys(c *config.Config) config.Keys {
	if len(d.within) == 0 {
		return c.OwnKeys()
	}
	if t := c.Thing(d.within[1]); t != nil {
		return t.Keys()
	}
	return nil
}

// from names the shadow as who gives settings.
func (d *desire) from() string { return strings.TrimSpace("shadow " + d.shadow) }

// all rejects everything that is desired.
func (d *desire) all(why error) map[string]string {
	rejected := map[string]string{}
	for key := range d.state {
		rejected[key] = rejection(why)
	}
	return rejected
}

// wrap returns a tree of the shadow's settings as one of the configuration's.
func (d *desire) wrap(tree map[string]any) map[string]any {
	if len(tree) == 0 {
		return map[string]any{}
	}
	for _, key := range slices.Backward(d.within) {
		tree = map[string]any{key: tree}
	}
	return tree
}

// unwrap is the reverse of wrap.
func (d *desire) unwrap(tree map[string]any) map[string]any {
	for _, key := range d.within {
		tree, _ = tree[key].(map[string]any)
	}
	return tree
}

// laying lays a desired state over the settings. It is the shadow.Keys of values that are tried
// one by one.
type laying struct {
	*desire
	load   func(config.Over) (*config.Config, []conf.Warning, error)
	folder string // the state folder
	before accepted.Revision
	keys   config.Keys

	saved   map[string]any // what the shadow has laid before
	overlay map[string]any // what fits so far, while values are tried one by one
	tries   int
}

// lay returns why values are rejected, and the revision with the others; nil: it is as before.
func (l *laying) lay() (rejected map[string]string, next *accepted.Revision) {
	memory := l.before.Shadows[l.shadow]
	l.saved = l.unwrap(memory.Laid)
	rest, dropped, why := memory.Want(l.wrap(l.desire.state))
	rest = l.unwrap(rest)
	same := func(overlay map[string]any) bool {
		return reflect.DeepEqual(l.wrap(overlay), l.wrap(l.saved)) && len(dropped) == len(memory.Dropped)
	}
	overlay, rejected := shadow.Lay(unchecked{l}, l.saved, rest)
	if !same(overlay) {
		var err error
		if next, err = l.try(overlay); err != nil { // the ones that are wrong are to be found
			l.overlay, _ = shadow.Lay(refusing{l, err}, l.saved, rest)
			overlay, rejected = shadow.Lay(l, l.saved, rest)
		}
		if next == nil && !same(overlay) {
			if next, err = l.try(overlay); err != nil {
				return l.all(err), nil
			}
		}
	}
	prefix := strings.Join(append(slices.Clone(l.within), ""), ".")
	for key, reason := range why {
		rejected[strings.TrimPrefix(key, prefix)] = reason
	}
	if next == nil {
		return rejected, nil
	}
	next.Shadows = maps.Clone(l.before.Shadows)
	if next.Shadows == nil {
		next.Shadows = map[string]accepted.Shadow{}
	}
	next.Shadows[l.shadow] = accepted.Shadow{Laid: l.wrap(overlay), Dropped: dropped}
	if len(overlay) == 0 && len(dropped) == 0 {
		delete(next.Shadows, l.shadow)
	}
	return rejected, next
}

// try reads the configuration with an overlay, and returns its revision.
func (l *laying) try(overlay map[string]any) (*accepted.Revision, error) {
	k := &config.Candidate{State: l.folder, From: l.from(), Changes: accepted.Changes(l.wrap(l.saved), l.wrap(overlay))}
	if _, _, err := l.load(k.Over); err != nil {
		return nil, err
	}
	return &k.Revision, nil
}

// Key implements shadow.Keys.
func (l *laying) Key(key string) (conf.Change, bool) { return l.keys.Key(key) }

// Group implements shadow.Keys.
func (l *laying) Group(key string) bool { return l.keys.Group(key) }

// Check implements shadow.Keys: with the value beside those that fit, the configuration is right.
func (l *laying) Check(key string, value any) error {
	path := strings.Split(key, ".")
	if reflect.DeepEqual(at(l.overlay, path), value) {
		return nil
	}
	if l.tries++; l.tries > maxTries {
		return errTooMany
	}
	with := put(l.overlay, path, value)
	if _, err := l.try(with); err != nil {
		return errors.New(rejection(err))
	}
	l.overlay = with
	return nil
}

// unchecked are the same keys, and any value.
type unchecked struct{ *laying }

// Check implements shadow.Keys.
func (unchecked) Check(string, any) error { return nil }

// refusing are the same keys, and no value.
type refusing struct {
	*laying
	why error
}

// Check implements shadow.Keys.
func (r refusing) Check(string, any) error { return r.why }

// rejection is why a value is rejected, in one line: the first problem of a configuration.
func rejection(err error) string {
	if problems := (*conf.Error)(nil); errors.As(err, &problems) && len(problems.Problems) > 0 {
		return problems.Problems[0].Message
	}
	return err.Error()
}

// at returns the value at a path; nil: there is none.
func at(tree map[string]any, path []string) any {
	if v, inner := tree[path[0]].(map[string]any); inner && len(path) > 1 {
		return at(v, path[1:])
	}
	if len(path) > 1 {
		return nil
	}
	return tree[path[0]]
}

// put returns a tree with a value at a path.
func put(tree map[string]any, path []string, value any) map[string]any {
	with := maps.Clone(tree)
	if with == nil {
		with = map[string]any{}
	}
	if len(path) > 1 {
		inner, _ := with[path[0]].(map[string]any)
		value = put(inner, path[1:], value)
	}
	with[path[0]] = value
	return with
}

// plain returns a desired state with the numbers that encoding/json decodes, as the settings
// have them.
func plain(desired map[string]any) (state map[string]any, err error) {
	text, err := json.Marshal(desired)
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return nil, fmt.Errorf("desired state: %w", err)
	}
	return state, nil
}
