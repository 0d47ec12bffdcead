//go:build system

package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/test/binary"
)

// deploy is the folder with the unit and what it needs.
const deploy = "../../deploy"

// exposureLimit is how open the unit may be, in tenths of systemd's own measure, which
// goes from 0.0 to 10.0 (systemd-analyze(1), security).
const exposureLimit = "20"

// The unit opens no more of the system to the service than it has to, by systemd's measure;
// with each of its drop-ins too.
func TestTheUnitIsClosed(t *testing.T) {
	analyze := binary.Need(t, "systemd-analyze")
	for name, unit := range unitVariants(t) {
		out, err := exec.Command(analyze, "security", "--no-pager", "--offline=true", "--threshold="+exposureLimit, unit).CombinedOutput()
		_, overall, _ := strings.Cut(string(out), "→ ")
		if err != nil || !strings.HasPrefix(overall, "Overall exposure level for pithings.service: ") {
			t.Errorf("%s: %v\n%s", name, err, out)
			continue
		}
		t.Logf("%s: %s", name, strings.TrimSpace(overall))
	}
}

// systemd understands each line of the unit and of its drop-ins: of one that it does not
// know it says so and starts the service without it.
func TestSystemdUnderstandsTheUnit(t *testing.T) {
	analyze := binary.Need(t, "systemd-analyze")
	for name, unit := range unitVariants(t) {
		out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// unitVariants writes the unit without and with each of its drop-ins, for the program that is
// tested. It returns the files, by the drop-ins' names.
func unitVariants(t *testing.T) map[string]string {
	t.Helper()
	text := strings.ReplaceAll(readFile(t, deploy+"/pithings.service"), "/usr/bin/pithings", binary.Path)
	dropIns, err := filepath.Glob(deploy + "/pithings.service.d/*.conf")
	if err != nil || len(dropIns) == 0 {
		t.Fatalf("%d drop-ins: %v", len(dropIns), err)
	}
	files := map[string]string{}
	for _, dropIn := range append(dropIns, "") {
		dir := t.TempDir()
		unit := filepath.Join(dir, "pithings.service")
		if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if dropIn == "" {
			files["without a drop-in"] = unit
			continue
		}
		if err := os.Mkdir(unit+".d", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(unit+".d", filepath.Base(dropIn)), []byte(readFile(t, dropIn)), 0o644); err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(dropIn)] = unit
	}
	return files
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The service's user and all groups of the unit are made, on a system without any of them and
// on one where people were already made members of the group pithings. A second run changes
// nothing.
func TestSysusersMakesTheUserAndTheGroups(t *testing.T) {
	sysusers := binary.Need(t, "systemd-sysusers")
	for name, c := range map[string]struct{ groups, want string }{
		"new system":     {"", "pithings:x:"},
		"group was made": {"pithings:x:777:joe\ngpio:x:778:joe\n", "pithings:x:777:joe\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(file, text string) {
				if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
				t.Fatal(err)
			}
			write("etc/passwd", "root:x:0:0::/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\n")
			write("etc/group", "root:x:0:\njoe:x:1000:\nvideo:x:44:joe\n"+c.groups)
			conf, err := filepath.Abs(deploy + "/sysusers.d/pithings.conf") // a relative one would be below root
			if err != nil {
				t.Fatal(err)
			}
			run := func() (passwd, group string) {
				if out, err := exec.Command(sysusers, "--root="+root, conf).CombinedOutput(); err != nil {
					t.Fatalf("systemd-sysusers: %v\n%s", err, out)
				}
				return readFile(t, filepath.Join(root, "etc/passwd")), readFile(t, filepath.Join(root, "etc/group"))
			}
			passwd, group := run()
			number := ""
			for line := range strings.Lines(group) {
				if fields := strings.Split(line, ":"); fields[0] == "pithings" {
					number = fields[2]
				}
			}
			if want := "\npithings:x:" + number + ":" + number + ":pithings:/var/lib/pithings:/usr/sbin/nologin\n"; !strings.Contains(passwd, want) {
				t.Errorf("the users are\n%s want %s", passwd, want)
			}
			if !strings.Contains(group, c.want) || !strings.Contains(group, "video:x:44:joe\n"+c.groups) {
				t.Errorf("the groups are\n%s want %s and those of before", group, c.want)
			}
			for _, needed := range unitGroups(t) {
				if !strings.Contains("\n"+group, "\n"+needed+":x:") {
					t.Errorf("there is no group %s", needed)
				}
			}
			if p, g := run(); p != passwd || g != group {
				t.Errorf("a second run changes\n%s%s to\n%s%s", passwd, group, p, g)
			}
		})
	}
}

// unitGroups are the groups that the unit names.
func unitGroups(t *testing.T) (groups []string) {
	t.Helper()
	for line := range strings.Lines(readFile(t, deploy+"/pithings.service")) {
		for _, key := range []string{"Group=", "SupplementaryGroups="} {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), key); ok {
				groups = append(groups, strings.Fields(value)...)
			}
		}
	}
	if len(groups) < 2 {
		t.Fatalf("the unit names the groups %q", groups)
	}
	return groups
}
