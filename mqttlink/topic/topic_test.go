package topic

import (
	"errors"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		filter, topic string
		want          bool
	}{
		{"TG_MS/motion", "TG_MS/motion", true},
		{"TG_MS/motion", "TG_MS/Motion", false},
		{"TG_MS/motion", "TG_MS/motion/x", false},
		{"TG_MS/+", "TG_MS/motion", true},
		{"TG_MS/+", "TG_MS", false},
		{"TG_MS/+", "TG_MS/", true},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"+/capture/finished", "TG_Camera/capture/finished", true},
		{"+/capture", "TG_Camera/capture/finished", false},
		{"sport/#", "sport", true},
		{"sport/#", "sport/tennis/player1", true},
		{"sport/#", "sports", false},
		{"sport/+/#", "sport/tennis", true},
		{"sport/+/#", "sport", false},
		{"#", "a/b/c", true},
		{"#", "/", true},
		{"#", "$SYS/broker", false},
		{"+/broker", "$SYS/broker", false},
		{"$SYS/#", "$SYS/broker", true},
		{"$aws/things/+/shadow/#", "$aws/things/x/shadow/update/delta", true},
		{"$share/group/a/+", "a/b", true},
		{"$share/group/#", "$SYS/x", false},
		{"a//b", "a//b", true},
		{"a/+/b", "a//b", true},
		{"a/b/", "a/b", false},
	} {
		if got := Match(tt.filter, tt.topic); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.filter, tt.topic, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, s       string
		topic, filter bool
	}{
		{"plain", "TG_MS/motion", true, true},
		{"reserved", "$aws/things/x/shadow/get", true, true},
		{"umlauts and blanks", "Küche/Licht an", true, true},
		{"slashes only", "//", true, true},
		{"longest", strings.Repeat("x", 65535), true, true},
		{"too long", strings.Repeat("x", 65536), false, false},
		{"empty", "", false, false},
		{"NUL", "a\x00b", false, false},
		{"line break", "a\nb", false, false},
		{"not UTF-8", "a\xffb", false, false},
		{"surrogate", "a\xed\xa0\x80", false, false},
		{"non-character", "a\uffff", false, false},
		{"one level", "a/+/b", false, true},
		{"all levels", "a/#", false, true},
		{"everything", "#", false, true},
		{"+ inside a level", "a/b+/c", false, false},
		{"# inside a level", "a/b#", false, false},
		{"# in the middle", "a/#/b", false, false},
		{"# before a slash", "#/", false, false},
		{"shared", "$share/g/a/+", false, true},
		{"shared, nothing shared", "$share/g", true, false},
		{"shared, no group", "$share//a", true, false},
	} {
		if err := Check(tt.s); (err == nil) != tt.topic || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s as topic: %v", tt.name, err)
		}
		if err := CheckFilter(tt.s); (err == nil) != tt.filter || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s as filter: %v", tt.name, err)
		}
	}
}

// matchLevels is Match by the specification's words, on levels.
func matchLevels(f, t []string) bool {
	switch {
	case len(f) == 0:
		return len(t) == 0
	case f[0] == "#":
		return true
	case len(t) == 0:
		return false
	case f[0] == "+" || f[0] == t[0]:
		return matchLevels(f[1:], t[1:])
	}
	return false
}

func FuzzTopic(f *testing.F) {
	for _, s := range []string{"TG_MS/motion", "a/+/#", "#", "$share/g/a/#", "$SYS/x", "a\x00", "+/+", "//"} {
		f.Add(s, "a/b/c")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if Check(topic) == nil && CheckFilter(topic) == nil && !Match(topic, topic) && !strings.HasPrefix(topic, "$share/") {
			t.Errorf("topic %q does not match itself", topic)
		}
		if CheckFilter(filter) != nil || Check(topic) != nil || strings.HasPrefix(filter, "$share/") {
			Match(filter, topic) // must only not crash
			return
		}
		want := matchLevels(strings.Split(filter, "/"), strings.Split(topic, "/"))
		if topic[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
			want = false
		}
		if Match(filter, topic) != want {
			t.Errorf("Match(%q, %q) = %v", filter, topic, !want)
		}
	})
}

func TestFiltersCoverFilters(t *testing.T) {
	for _, row := range []struct {
		outer, inner string
		want         bool
	}{
		{"#", "a/#", true}, {"#", "#", true}, {"a/#", "#", false}, {"a/#", "a", true}, {"a/#", "a/#", true}, {"a/#", "a/+/b", true},
		{"a/+", "a/b", true}, {"a/+", "a/+", true}, {"a/+", "a/#", false}, {"a/b", "a/+", false}, {"+/b", "a/b", true}, {"a/+/c", "a/b/+", false},
		{"#", "$SYS/#", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x/#", true}, {"a", "a/b", false}, {"a/b", "a", false}, {"+", "#", false},
	} {
		if got := Covers(row.outer, row.inner); got != row.want {
			t.Errorf("%q covers %q: %v", row.outer, row.inner, got)
		}
	}
}

// What a filter covers it matches: a topic of the inner filter is one of the outer.
func FuzzCovers(f *testing.F) {
	f.Add("a/#", "a/+", "a/b")
	f.Add("+/+", "/#", "/x")
	f.Fuzz(func(t *testing.T, outer, inner, topic string) {
		if CheckFilter(outer) != nil || CheckFilter(inner) != nil || IsShared(outer) || IsShared(inner) || Check(topic) != nil {
			return
		}
		if Covers(outer, inner) && Match(inner, topic) && !Match(outer, topic) {
			t.Errorf("%q covers %q, but %q is only the inner one's", outer, inner, topic)
		}
		if !Covers(outer, outer) {
			t.Errorf("%q does not cover itself", outer)
		}
	})
}

// FuzzOverlap: two filters overlap if a topic matches both.
func FuzzOverlap(f *testing.F) {
	f.Add("a/+/c", "a/#", "a/b/c")
	f.Add("$aws/things/+/shadow/#", "$aws/things/porch/+/get", "$aws/things/porch/shadow/get")
	f.Add("a/#", "a", "a")
	f.Fuzz(func(t *testing.T, a, b, topic string) {
		if CheckFilter(a) != nil || CheckFilter(b) != nil || Check(topic) != nil {
			return
		}
		a, b = Unshared(a), Unshared(b)
		if Match(a, topic) && Match(b, topic) && !Overlap(a, b) {
			t.Errorf("%q matches %q and %q", topic, a, b)
		}
	})
}

func TestRules(t *testing.T) {
	for text, want := range map[string]Rule{"": Empty, strings.Repeat("x", MaxBytes+1): Long, "a\x00": Character, "a\xff": Character, "a/b#": Wildcard, "#/a": Wildcard, "$share/g": Group} {
		var e *Error
		if err := CheckFilter(text); !errors.As(err, &e) || e.Rule != want {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestTemplates(t *testing.T) {
	if got := Expand("hall/{thing}/state", "lamp"); got != "hall/lamp/state" {
		t.Error(got)
	}
	if got := ExpandOwn("{topic}/history", "lamp/state"); got != "lamp/state/history" {
		t.Error(got)
	}
	for template, want := range map[string]bool{"{thing}/x": true, "x": true, "{other}/x": false, "{thing": false} {
		if OnlyThing(template) != want {
			t.Errorf("%s: %v", template, !want)
		}
	}
}
