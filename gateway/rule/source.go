package rule

import (
	"fmt"
	"slices"
	"strings"

	"pithings/mqttlink/durable"
)

// maxScript is the longest script, in bytes.
const maxScript = 256 << 10

// Text returns the text of a script.
func (s *Script) Text() (string, error) {
	if s.Code != "" {
		return s.Code, nil
	}
	text, err := durable.ReadFile(s.File, maxScript)
	return string(text), err
}

// Only returns the name of the main function of a script that does not say it: main, or the
// only function.
func (s *Script) Only() (string, error) {
	source, err := s.Text()
	if err != nil {
		return "", err
	}
	var names []string
	for line := range strings.Lines(source) {
		if head, ok := strings.CutPrefix(line, "def "); ok {
			name, _, _ := strings.Cut(head, "(")
			names = append(names, strings.TrimSpace(name))
		}
	}
	if slices.Contains(names, "main") || len(names) == 0 {
		return "main", nil
	}
	if len(names) > 1 {
		return "", fmt.Errorf("it has the functions %s: name the main one with --function", strings.Join(names, ", "))
	}
	return names[0], nil
}
