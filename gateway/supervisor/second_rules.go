package supervisor

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"pithings/conf"
	"pithings/gateway"
	"pithings/gateway/collect"
	"pithings/gateway/rule"
)

// The functions of quickfaas. Which keys they have no manual says: these are those of the
// pages on which they are edited, and some like them. What is not understood is kept, and
// named.

// upload is a publish rule and what its function says of its groups.
type upload struct {
	rule.Publish
	alarms bool // its groups are labels of alarms
}

func newUpload() (u upload) {
	conf.Fill(&u.Publish)
	u.API = "2"
	return u
}

var uploadKeys = []key[upload]{
	text(func(u *upload) *string { return &u.Name }, "name"),
	{[]string{"trigger", "dataSource"}, func(u *upload, raw json.RawMessage) error {
		u.alarms = alarmTrigger.MatchString(plain(raw))
		return nil
	}, func(u *upload) json.RawMessage {
		if u.alarms {
			return rawText("warning_event")
		}
		return rawText("measures_event")
	}},
	text(func(u *upload) *string { return &u.Topic }, "topic"),
	count(func(u *upload) *int { return &u.QoS }, 0, 2, "qos"),
	{[]string{"groups", "group", "labels", "alarmLables"}, func(u *upload, raw json.RawMessage) error {
		u.Groups = nil
		if json.Unmarshal(raw, &u.Groups) != nil {
			u.Groups = strings.FieldsFunc(plain(raw), func(r rune) bool { return r == ',' })
		}
		return nil
	}, func(u *upload) json.RawMessage {
		return marshal(append([]string{}, u.Groups...))
	}},
	text(func(u *upload) *string { return &u.Function }, "funcName"),
	source(func(u *upload) *string { return &u.Code }),
}

// alarmTrigger is what the trigger of a function is named that gets alarms.
var alarmTrigger = regexp.MustCompile(`(?i)warn|alarm`)

// source joins a script. A configuration has lines without carriage returns.
func source[T any](of func(t *T) *string) key[T] {
	k := text(of, "script", "code")
	k.read = func(t *T, raw json.RawMessage) error {
		*of(t) = strings.ReplaceAll(plain(raw), "\r\n", "\n")
		return nil
	}
	return k
}

func newDownload() (r rule.Subscribe) {
	conf.Fill(&r)
	r.API = "2"
	return r
}

var downloadKeys = []key[rule.Subscribe]{
	text(func(r *rule.Subscribe) *string { return &r.Name }, "name"),
	text(func(r *rule.Subscribe) *string { return &r.Topic }, "topic"),
	count(func(r *rule.Subscribe) *int { return &r.QoS }, 0, 2, "qos"),
	text(func(r *rule.Subscribe) *string { return &r.Function }, "funcName"),
	source(func(r *rule.Subscribe) *string { return &r.Code }),
}

func newFunction() (f rule.Function) {
	conf.Fill(&f)
	f.API = "2"
	return f
}

var functionKeys = []key[rule.Function]{
	text(func(f *rule.Function) *string { return &f.Name }, "name"),
	{[]string{"trigger"}, func(f *rule.Function, raw json.RawMessage) error {
		f.Startup = startTrigger.MatchString(plain(raw))
		return nil
	}, func(f *rule.Function) json.RawMessage {
		if f.Startup {
			return rawText("startup")
		}
		return nil
	}},
	{[]string{"period", "interval", "cycle"}, func(f *rule.Function, raw json.RawMessage) (err error) {
		f.Every, err = interval(plain(raw), 0)
		return err
	}, func(f *rule.Function) json.RawMessage {
		if f.Every.Duration == 0 {
			return nil
		}
		return json.RawMessage(inSeconds(f.Every))
	}},
	{[]string{"topic"}, func(f *rule.Function, raw json.RawMessage) error { f.Topic = plain(raw); return nil },
		func(f *rule.Function) json.RawMessage {
			if f.Topic == "" {
				return nil
			}
			return rawText(f.Topic)
		}},
	text(func(f *rule.Function) *string { return &f.Function }, "funcName"),
	source(func(f *rule.Function) *string { return &f.Code }),
}

// startTrigger is what the trigger of a function is named that runs at the start.
var startTrigger = regexp.MustCompile(`(?i)start|boot`)

// labels reads the parameters. Those that the gateway has of its own are kept.
func (im *importer) labels(r *root) {
	kept := []object{}
	for _, it := range r.lists["labels"] {
		name := plain(it.object["key"])
		_, twice := im.s.Params[name]
		switch {
		case name == "SN" || name == "MAC" || name == "":
			kept = append(kept, it.object)
			continue
		case twice:
			im.add(it.at, "there is a parameter %s already; rename one of them", name)
			continue
		case im.s.Params == nil:
			im.s.Params = map[string]string{}
		}
		im.s.Params[name] = plain(it.object["value"])
		if secretKey.MatchString(name) {
			im.note(it.at, "the parameter %s looks like a secret, and is in the configuration now: let few people read that", name)
		}
		for k := range it.object {
			if k != "key" && k != "value" {
				im.note(it.at.key(k), "it is not kept")
			}
		}
	}
	delete(r.lists, "labels")
	if len(kept) > 0 {
		r.rest["labels"] = marshal(kept)
	}
}

// quickfaas reads the functions. Those that are no rules here stay in the rest.
func (im *importer) quickfaas(r *root, collects func(string) bool) {
	raw, ok := r.rest["quickfaas"]
	if !ok {
		return
	}
	faas, ok := im.root(r.at["quickfaas"], raw)
	if !ok {
		return
	}
	for _, list := range []struct {
		name string
		add  func(it item, collects func(string) bool) error
	}{{"uploadFuncs", im.upload}, {"downloadFuncs", im.download}, {"genericFuncs", im.generic}} {
		var left []object
		for _, it := range faas.lists[list.name] {
			original, name := maps.Clone(it.object), plain(it.object["name"])
			if disabled(it.object) {
				im.note(it.at, "function %s is disabled: it is kept for an export, and no rule here", name)
				left = append(left, original)
			} else if err := list.add(it, collects); err != nil {
				im.note(it.at, "function %s is kept for an export, and no rule here: %v", name, err)
				left = append(left, original)
			}
		}
		if _, odd := faas.rest[list.name]; odd {
			im.note(faas.at[list.name], "it is no list of functions; it is kept for an export")
		} else if len(left) > 0 {
			faas.rest[list.name] = marshal(left)
		}
		delete(faas.lists, list.name)
	}
	for name, items := range faas.lists {
		faas.rest[name] = marshal(objects(items))
	}
	r.rest["quickfaas"] = marshal(faas.rest)
}

func (im *importer) upload(it item, collects func(string) bool) error {
	u := newUpload()
	if err := take(&u, it.object, uploadKeys); err != nil {
		return err
	}
	switch {
	case u.alarms && len(u.Groups) == 0:
		u.Groups = []string{defaultLabel}
		im.note(it.at, "publish rule %s names no labels of alarms; it gets those of the group alarm", u.Name)
	case len(u.Groups) == 0:
		u.Groups = []string{defaultLabel}
		im.note(it.at, "publish rule %s names no groups; it gets those of the group default", u.Name)
	}
	if u.alarms {
		for i, label := range u.Groups {
			u.Groups[i] = alarmGroup(label, collects)
			im.alarmGroup(u.Groups[i])
		}
	}
	u.Groups = slices.Compact(u.Groups)
	if err := im.rule(it, "publish rule", u.Name, &gateway.Settings{Publish: []rule.Publish{u.Publish}}, &u.Script); err != nil {
		return err
	}
	u.Columns = im.pack(it)
	im.s.Publish = append(im.s.Publish, u.Publish)
	return nil
}

// alarmGroup adds a group of alarms that no alarm is in.
func (im *importer) alarmGroup(name string) {
	if !slices.ContainsFunc(im.s.Alarms, func(a collect.AlarmRule) bool { return a.Group == name }) &&
		!slices.ContainsFunc(im.s.Groups, func(g collect.Group) bool { return g.Name == name }) {
		var g collect.Group
		conf.Fill(&g)
		g.Name, g.Type = name, collect.Alarms
		im.s.Groups = append(im.s.Groups, g)
	}
}

func (im *importer) download(it item, _ func(string) bool) error {
	r := newDownload()
	if err := take(&r, it.object, downloadKeys); err != nil {
		return err
	}
	if err := im.rule(it, "subscribe rule", r.Name, &gateway.Settings{Subscribe: []rule.Subscribe{r}}, &r.Script); err != nil {
		return err
	}
	if kind := plain(it.object["payload_type"]); kind != "" && !strings.EqualFold(kind, "plaintext") && !strings.EqualFold(kind, "text") {
		im.note(it.at.key("payload_type"), "the script of subscribe rule %s gets each payload as text", r.Name)
	}
	r.Columns = im.pack(it)
	im.s.Subscribe = append(im.s.Subscribe, r)
	return nil
}

func (im *importer) generic(it item, _ func(string) bool) error {
	f := newFunction()
	if err := take(&f, it.object, functionKeys); err != nil {
		return err
	}
	if err := im.rule(it, "function", f.Name, &gateway.Settings{Functions: []rule.Function{f}}, &f.Script); err != nil {
		return err
	}
	f.Columns = im.pack(it)
	im.s.Functions = append(im.s.Functions, f)
	return nil
}

// rule reports why a rule cannot be one here, and notes what its script lacks.
func (im *importer) rule(it item, kind, name string, s *gateway.Settings, script *rule.Script) (err error) {
	s.Groups, s.Alarms = im.s.Groups, im.s.Alarms
	if name == "" {
		return fmt.Errorf("it has no name")
	}
	s.Check(func(path, format string, args ...any) {
		if err == nil && !strings.HasPrefix(path, "groups") && !strings.HasPrefix(path, "alarms") && !strings.Contains(path, ".groups[") {
			err = fmt.Errorf(format, args...)
		}
	}, &rule.Params{Serial: "serial", MAC: "mac", LogLevel: "info", Custom: im.s.Params})
	switch {
	case err != nil:
		return err
	case strings.ContainsFunc(script.Code, gateway.Control):
		return fmt.Errorf("its script has a control character; remove it")
	case len(s.Functions) > 0 && s.Functions[0].Every.Duration > 24*time.Hour:
		return fmt.Errorf("it runs less often than once a day")
	case !im.once(it.at, kind, name):
		return nil
	}
	if cloud := plain(it.object["cloudName"]); cloud != "" && cloud != defaultLabel {
		im.note(it.at.key("cloudName"), "%s %s was of the cloud %s, and uses the one connection here", kind, name, cloud)
	}
	if script.None() {
		im.note(it.at, "%s %s has no script: it publishes the data as it is", kind, name)
	} else if err := script.Check(name); err != nil {
		im.note(it.at.key("script"), "%s %s is off until its script is changed: %v", kind, name, err)
	}
	return nil
}
