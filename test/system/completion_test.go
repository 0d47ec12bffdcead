//go:build system

package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pithings/test/binary"
)

// completions ask a shell with the packaged file what it offers behind a line. What needs
// a terminal is replaced: compopt of bash, and of zsh what the file calls at last.
var completions = map[string]struct{ script, file string }{
	"bash": {file: "pithings.bash", script: `
		source /usr/share/bash-completion/bash_completion
		compopt() { :; } # of readline
		source "$1"
		COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9
		IFS=' ' read -ra COMP_WORDS <<<"$2"
		[[ $2 == *' ' ]] && COMP_WORDS+=('')
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		__start_pithings
		printf '%s\n' "${COMPREPLY[@]}"`},
	"zsh": {file: "_pithings", script: `
		compdef() { }
		_describe() { ((${#completions})) && print -rl -- "${completions[@]}" }
		_arguments() { print -rl -- *(N) }
		source $1
		words=(${=2}) CURRENT=${#words}
		[[ $2 == *' ' ]] && words+=('') && CURRENT=$((CURRENT + 1))
		_pithings || true`},
	"fish": {file: "pithings.fish", script: `
		source $argv[1]
		complete -C $argv[2]`},
}

func TestCompletionsInTheirShells(t *testing.T) {
	dir, err := filepath.Abs(filepath.Join("..", "..", "deploy", "completions"))
	if err != nil {
		t.Fatal(err)
	}
	for shell, c := range completions {
		t.Run(shell, func(t *testing.T) {
			program := binary.Need(t, shell)
			if _, err := os.Stat("/usr/share/bash-completion/bash_completion"); shell == "bash" && err != nil {
				binary.Lacks(t, "bash-completion is missing; test/need installs it")
			}
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "hall.yaml"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			offered := func(line string) []string {
				args := []string{"-c", c.script}
				if shell != "fish" {
					args = append(args, shell)
				}
				if shell == "zsh" {
					args = append([]string{"-f"}, args...)
				}
				run := exec.Command(program, append(args, filepath.Join(dir, c.file), line)...)
				run.Dir = home
				run.Env = []string{"HOME=" + home, "PATH=" + filepath.Dir(binary.Path) + ":/usr/bin:/bin", "TERM=dumb"}
				var stderr strings.Builder
				run.Stderr = &stderr
				out, err := run.Output()
				if err != nil || stderr.Len() > 0 {
					t.Fatalf("%q: %v\n%s%s", line, err, out, stderr.String())
				}
				var words []string
				for l := range strings.Lines(string(out)) {
					if f := strings.FieldsFunc(l, func(r rune) bool { return strings.ContainsRune(" \t\n:", r) }); len(f) > 0 {
						words = append(words, f[0])
					}
				}
				return words
			}
			for line, want := range map[string][]string{
				"pithings flo":                {"flow"},
				"pithings flow un":            {"undeploy"},
				"pithings run --transc":       {"--transcript"},
				"pithings completion ":        {"bash", "fish", "powershell", "zsh"},
				"pithings config check hall.": {"hall.yaml"},
				"pithings nothing-like-this":  nil,
			} {
				got := offered(line)
				if shell == "bash" && len(want) == 1 && want[0] == "hall.yaml" {
					want = nil // bash itself offers files when nothing else is (complete -o default)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q offers %q, want %q", line, got, want)
				}
			}
		})
	}
}
