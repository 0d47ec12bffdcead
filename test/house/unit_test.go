package house

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unitLines are the settings of a section of deploy/pithings.service: comments say nothing
// to systemd, and a setting in another section is ignored.
func unitLines(t *testing.T, section string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/pithings.service")
	if err != nil {
		t.Fatal(err)
	}
	in := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "["):
			in = line
		case in == section && line != "" && !strings.HasPrefix(line, "#"):
			lines = append(lines, line)
		}
	}
	return lines
}

// TestUnitKeepsThePromisesOfTheDocs: what a page says of the service is in the unit, once
// and in its section.
func TestUnitKeepsThePromisesOfTheDocs(t *testing.T) {
	for _, promise := range []struct{ section, line, page, says string }{
		// The agent ends with 78 for what only a person can correct. The Go runtime ends with 2.
		{"[Service]", "RestartPreventExitStatus=78", "docs/configuration.md", "The unit does not start again after 78 (`RestartPreventExitStatus=`)"},
		{"[Service]", "Restart=always", "docs/agent.md", "the unit does not start again after it"},
		{"[Unit]", "StartLimitIntervalSec=0", "", ""},
		// Beyond what its parts may need, the agent ends and not the whole Pi.
		{"[Service]", "MemoryMax=400M", "", ""},
		{"[Service]", "OOMPolicy=stop", "docs/service.md", "Beyond it the kernel ends the program and systemd starts it again"},
		{"[Service]", "Type=notify", "", ""},
		{"[Service]", "NotifyAccess=main", "", ""},
		{"[Service]", "WatchdogSec=60", "docs/service.md", "a minute later systemd ends the program"},
		{"[Service]", "User=pithings", "docs/agent.md", "runs as the user `pithings`"},
		{"[Service]", "Group=pithings", "docs/agent.md", "0660, group `pithings`; folder 0750"},
		{"[Service]", "RuntimeDirectory=pithings", "docs/agent.md", "`$RUNTIME_DIRECTORY/socket`, which is `/run/pithings/socket`"},
		{"[Service]", "RuntimeDirectoryMode=0750", "docs/agent.md", "0660, group `pithings`; folder 0750"},
		{"[Service]", "ExecReload=/usr/bin/pithings reload --config /etc/pithings/pithings.yaml", "", ""},
		{"[Service]", "StateDirectory=pithings", "docs/service.md", "`/var/lib/pithings`"},
		{"[Service]", "StateDirectoryMode=0700", "docs/limits.md", "for its owner only (0700)"},
		{"[Service]", "UMask=0077", "docs/service.md", "`UMask=0077`"},
		{"[Service]", "NoNewPrivileges=yes", "docs/service.md", "No root"},
		{"[Service]", "DevicePolicy=closed", "docs/service.md", "`DevicePolicy=closed`"},
		{"[Service]", "ProtectSystem=strict", "docs/service.md", "`ProtectSystem=strict`"},
		{"[Service]", "ProtectHome=yes", "docs/service.md", "`ProtectHome=`"},
		{"[Service]", "ProtectProc=invisible", "docs/service.md", "`ProtectProc=invisible`"},
		{"[Service]", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "docs/service.md", "IPv4, IPv6 and local sockets"},
		{"[Service]", "CapabilityBoundingSet=", "README.md", "Run it as a service without root"},
	} {
		key, _, _ := strings.Cut(promise.line, "=")
		set := slices.DeleteFunc(unitLines(t, promise.section), func(line string) bool { return !strings.HasPrefix(line, key+"=") })
		if !slices.Equal(set, []string{promise.line}) {
			t.Errorf("%s has %q, want %s", promise.section, set, promise.line)
		}
		if promise.page != "" && !strings.Contains(page(t, promise.page), promise.says) {
			t.Errorf("%s does not say %q of %s", promise.page, promise.says, promise.line)
		}
	}
}

// TestMemoryMaxIsTheSumOfTheBudgets: the unit allows what the parts may need by the table of
// the manual, and not much more.
func TestMemoryMaxIsTheSumOfTheBudgets(t *testing.T) {
	_, table, found := strings.Cut(page(t, "docs/service.md"), "\n| what | MiB at most | by |\n|---|---|---|\n")
	if !found {
		t.Fatal("docs/service.md has no table of memory")
	}
	sum, rows := 0, 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			break
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[2]))
		if err != nil || n <= 0 {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
		sum, rows = sum+n, rows+1
	}
	for _, set := range unitLines(t, "[Service]") {
		if value, ok := strings.CutPrefix(set, "MemoryMax="); ok {
			most, err := strconv.Atoi(strings.TrimSuffix(value, "M"))
			if err != nil || rows < 4 || sum > most || sum < most*9/10 {
				t.Errorf("%s, and the %d rows of the table are %d MiB together (%v)", set, rows, sum, err)
			}
			return
		}
	}
	t.Error("the unit has no MemoryMax")
}

// TestKeysAreHandedOverTheSameWay: README, manual and unit name one line by which systemd
// hands over the key of root's, and the name under which a configuration finds it. The
// unit has it as a comment: without that file the service would not start.
func TestKeysAreHandedOverTheSameWay(t *testing.T) {
	const line = "LoadCredential=device.key:/etc/pithings/certs/device.key\n"
	for _, name := range []string{"README.md", "docs/configuration.md", "deploy/pithings.service"} {
		text := page(t, name)
		if !strings.Contains(text, line) {
			t.Errorf("%s has no line %q", name, line)
		}
		if !strings.Contains(text, "key: ${CREDENTIALS_DIRECTORY}/device.key") {
			t.Errorf("%s does not say how a configuration names the key", name)
		}
	}
	for _, set := range unitLines(t, "[Service]") {
		if strings.HasPrefix(set, "LoadCredential=") {
			t.Errorf("%s: a Pi without that file does not start", set)
		}
	}
}

// page returns the text of a file of the repository.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
