package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pithings/conf"
	"pithings/conf/suggest"
	"pithings/things"
)

// thing checks what is said of thing i beside its topics.
func (d *checker) thing(c *Config, i int) {
	t, path := &c.Things[i], fmt.Sprintf("things[%d]", i)
	d.part(c, i)
	if err := things.Extra(t.Extra).Validate(things.KindOf(t.Type)); err != nil {
		d.Bad(conf.Join(path, "extra"), "%v", err)
	}
	d.payloadKeys(t, path)
	d.peers(c, t, path)
	if x, ok := t.Settings.(things.Checker); ok {
		x.Check(func(at, format string, args ...any) { d.Bad(conf.Join(path, at), format, args...) })
	}
}

// peers checks the names of other things that settings have.
func (d *checker) peers(c *Config, t *Thing, path string) {
	p, ok := t.Settings.(things.Peered)
	if !ok {
		return
	}
	key, names := p.Peers()
	var same []string
	for i := range c.Things {
		if o := &c.Things[i]; o.Type == t.Type && o.Name != t.Name {
			same = append(same, o.Name)
		}
	}
	for i, name := range names {
		if !slices.Contains(same, name) {
			d.Bad(fmt.Sprintf("%s[%d]", conf.Join(path, key), i), "%s: there is no other thing %s of type %s%s", key, conf.Quote(name), t.Type, suggest.From(name, same))
		}
	}
}

// payloadKeys checks the keys that settings with the tag payload:"key" add to payloads.
func (d *checker) payloadKeys(t *Thing, path string) {
	for _, f := range conf.Fields(t.Settings) {
		key := f.Value.String()
		if f.Tag.Get("payload") != "key" || key == "" {
			continue
		}
		if _, twice := t.Extra[key]; twice || (things.Extra{key: ""}).Validate(things.KindOf(t.Type)) != nil {
			d.Bad(conf.Join(path, f.Key), "%s: the payload has the key %s already; choose another", f.Key, conf.Quote(key))
		}
	}
}

// simulated is the name of a part that is to be simulated.
const simulated = "mock"

// part checks where thing i is wired, and that no other thing is there.
func (d *checker) part(c *Config, i int) {
	t, path := &c.Things[i], fmt.Sprintf("things[%d]", i)
	missing := d.Missing(t.Settings, path, "thing "+conf.Quote(t.Name))
	key, where := t.Settings.Part()
	if key == "" || slices.Contains(missing, key) {
		return
	}
	path = conf.Join(path, key)
	switch {
	case where == "":
		d.Bad(path, "%s is empty", key)
		return
	case partTag(t.Settings, key) == "line" && strings.Trim(where, "0123456789") == "":
		d.Bad(path, "%s: %s is a number; write the line's name, GPIO%s for BCM line %s", key, conf.Quote(where), where, where)
	case where == simulated:
		return
	}
	switch wrong, fatal := spelling(partTag(t.Settings, key), key, where); {
	case fatal:
		d.Bad(path, "%s", wrong)
		return
	case wrong != "":
		d.Warn(path, "%s", wrong)
	}
	for j := range i {
		if o := &c.Things[j]; samePart(o, t) {
			d.Bad(path, "%s %s is already that of thing %s", key, where, conf.Quote(o.Name))
			return
		}
	}
}

// samePart reports whether two things need the same part for themselves.
func samePart(a, b *Thing) bool {
	if a.Settings == nil || b.Settings == nil {
		return false
	}
	key, where := a.Settings.Part()
	if k, w := b.Settings.Part(); k != key || w != where {
		return false
	}
	s, ok := a.Settings.(things.Sharer)
	return !ok || !s.Shares(b.Settings)
}

// partTag returns what the value of a key of settings names.
func partTag(s things.Settings, key string) string {
	for _, f := range conf.Fields(s) {
		if f.Key == key {
			return f.Tag.Get("part")
		}
	}
	return ""
}

// bcm matches the number of a line with the name of the processor's maker before it, as
// pinouts print it, and gpio the kernel's name in another spelling.
var (
	bcm  = regexp.MustCompile(`^(?i:bcm)[ _-]?([0-9]+)$`)
	gpio = regexp.MustCompile(`^(?i:gpio)[ _-]?([0-9]+)$`)
)

// spelling returns what is wrong with the name of a part and, if fatal is false, may be
// right on some board.
func spelling(part, key, where string) (wrong string, fatal bool) {
	switch part {
	case "line":
		if n := bcm.FindStringSubmatch(where); n != nil {
			return key + ": the kernel calls " + where + " GPIO" + n[1] + "; write that", true
		}
		if n := gpio.FindStringSubmatch(where); n != nil && where != "GPIO"+n[1] {
			return key + ": on a Raspberry Pi the line " + conf.Quote(where) + " is called GPIO" + n[1], false
		}
	case "bus":
		if n, ok := strings.CutPrefix(where, "i2c-"); ok && strings.Trim(n, "0123456789") == "" {
			return key + ": write " + conf.Quote(n) + " or /dev/" + where, true
		}
	case "file":
		if !strings.HasPrefix(where, "/") && !strings.HasPrefix(where, simulated+":") {
			return key + ": " + conf.Quote(where) + " is not a full path; write /dev/" + strings.TrimPrefix(where, "dev/"), true
		}
	}
	return "", false
}
