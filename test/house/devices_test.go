package house

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pithings/hw"
	"pithings/things"
)

// The service may open the device nodes that the kinds of things need, and no other: its unit
// names them and their groups, sysusers makes the groups, and udev gives them the nodes.
func TestTheUnitAllowsTheNodesOfTheKinds(t *testing.T) {
	const unit, users, rules = "deploy/pithings.service", "deploy/sysusers.d/pithings.conf", "deploy/udev/60-pithings.rules"
	majors, modules, groups := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, k := range things.Kinds() {
		for _, n := range k.Nodes {
			groups[n.Group] = true
			for _, m := range n.Majors {
				majors[m] = true
			}
			for _, m := range n.Modules {
				modules["modprobe@"+m+".service"] = true
			}
			if !slices.ContainsFunc(hw.AllNodes(), func(of hw.Nodes) bool { return reflect.DeepEqual(of, n) }) {
				t.Errorf("hw.AllNodes lacks %+v of the kind %s", n, k.Name)
			}
		}
	}
	var allow strings.Builder
	for _, m := range slices.Sorted(maps.Keys(majors)) {
		fmt.Fprintf(&allow, "DeviceAllow=char-%s rw\n", m)
	}
	replaceLines(t, unit, `(?m)(^DeviceAllow=.*\n)+`, allow.String())
	// systemd looks the names up in /proc/devices when the service starts, not when a device
	// is plugged in.
	load := strings.Join(slices.Sorted(maps.Keys(modules)), " ")
	for _, key := range []string{"Wants=", "After="} {
		replaceLines(t, unit, `(?m)^`+key+`modprobe@.*\n`, key+load+"\n")
		if !slices.Contains(unitLines(t, "[Unit]"), key+load) {
			t.Errorf("%s has no %s%s in its section [Unit]", unit, key, load)
		}
	}
	text := replaceLines(t, unit, `(?m)^SupplementaryGroups=.*\n`, "SupplementaryGroups="+strings.Join(slices.Sorted(maps.Keys(groups)), " ")+"\n")
	if n := strings.Count(text, "\nDeviceAllow="); n != len(majors) {
		t.Errorf("%s has %d lines DeviceAllow=, want %d in one place", unit, n, len(majors))
	}
	made := page(t, users)
	for g := range groups {
		if !regexp.MustCompile(`(?m)^g ` + g + ` +-$`).MatchString(made) {
			t.Errorf("%s does not make the group %s", users, g)
		}
	}
	given := page(t, rules)
	for _, n := range hw.AllNodes() {
		if n.Subsystem == "tty" {
			continue // Debian's own rules
		}
		rule := regexp.MustCompile(fmt.Sprintf(`(?m)^SUBSYSTEM=="%s",( KERNEL=="%s\*",)? GROUP="%s", MODE="0660"$`, n.Subsystem, n.Prefix, n.Group))
		if !rule.MatchString(given) {
			t.Errorf("%s has no rule %s", rules, rule)
		}
	}
}

// The package gives the nodes of each rule to their groups when it is installed: those of a
// subsystem, which postinst reads from the rules, and the other ones by their names.
func TestTheRulesAreAppliedAtOnce(t *testing.T) {
	postinst := page(t, "deploy/debian/postinst")
	for line := range strings.Lines(page(t, "deploy/udev/60-pithings.rules")) {
		rule, isRule := strings.CutSuffix(strings.TrimSpace(line), `, MODE="0660"`)
		if !isRule || strings.HasPrefix(rule, `SUBSYSTEM=="`) {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(rule, `KERNEL=="`), `"`)
		if trigger := "\tudevadm trigger --action=change --sysname-match=" + name + " || true\n"; !strings.Contains(postinst, trigger) {
			t.Errorf("deploy/debian/postinst does not apply the rule %s: want %q", rule, trigger)
		}
	}
}

// A kind whose part is a line, a bus or a device node says which nodes that needs.
func TestKindsWithPartsHaveNodes(t *testing.T) {
	for _, k := range things.Kinds() {
		typ, needs := reflect.TypeOf(k.New()).Elem(), ""
		for f := range typ.NumField() {
			if part := typ.Field(f).Tag.Get("part"); part != "" && part != "sensor" {
				needs = part
			}
		}
		if (needs != "") != (len(k.Nodes) > 0) {
			t.Errorf("the kind %s has a part of the sort %q and the nodes %v", k.Name, needs, k.Nodes)
		}
	}
}

// replaceLines compares the lines of a file that match with want, and writes those with
// -update. It returns the text.
func replaceLines(t *testing.T, name, pattern, want string) string {
	t.Helper()
	text := page(t, name)
	lines := regexp.MustCompile(pattern)
	switch got := lines.FindString(text); {
	case got == want:
	case got != "" && *update:
		text = strings.Replace(text, got, want, 1)
		if err := os.WriteFile("../../"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s has\n%swant\n%sRun: go test ./test/house -run TestTheUnit -update", name, got, want)
	}
	return text
}
