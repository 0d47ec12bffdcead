package service

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"pithings/device"
	"pithings/flow"
)

// maxSecret is the longest secret, in bytes.
const maxSecret = 16 << 10

// withSecrets is an action and its arguments with the service's secrets among them.
// They are read for each call, so that a new one counts at once, and they win over
// arguments of their names.
func (s *Services) withSecrets(m flow.ServiceModel, a flow.ServiceAction, input flow.Values) (flow.ServiceAction, flow.Values, error) {
	if len(m.Secrets) == 0 {
		return a, input, nil
	}
	given := input
	input = flow.Values{}
	for name, v := range given {
		if _, secret := find(m.Secrets, name); !secret {
			input[name] = v
		}
	}
	params := maps.Clone(a.Params)
	if params == nil {
		params = map[string]device.ValueType{}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Secrets)) {
		secret, err := ReadSecret(s.o.Secrets, m.Secrets[name])
		if err != nil {
			return a, nil, fmt.Errorf("secret %s: %w", name, err)
		}
		params[name], input[name] = device.StringType, secret
	}
	a.Params = params
	return a, input, nil
}

// ReadSecret reads a file of the folder, and of no other, whatever links say. A
// newline at its end is the editor's.
func ReadSecret(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if info, err := root.Stat(name); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxSecret:
		return "", fmt.Errorf("%s is longer than %d bytes", name, maxSecret)
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return "", errors.New(name + " is empty")
	}
	return text, nil
}
