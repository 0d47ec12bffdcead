package cloud

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"

	"pithings/conf/yamlfile"
)

// maxTokens bounds the words and signs of a file of templates.
const maxTokens = 10_000

// ReadTemplate reads a template of fleet provisioning from YAML. name stands for the file in
// errors.
func ReadTemplate(name string, text []byte) (t Template, err error) {
	documents, problem := yamlfile.Read(text, yamlfile.Options{Tokens: maxTokens, TooMany: "a template is shorter"})
	switch {
	case problem != nil:
		return t, fmt.Errorf("%s, line %d: %s", name, problem.Line, problem.Message)
	case len(documents) != 1:
		return t, fmt.Errorf("%s has %d documents: give one template in a file", name, len(documents))
	}
	defer func() { // the reader's own, on trees that it cannot read
		if recover() != nil {
			err = errors.New(name + " cannot be read as a template")
		}
	}()
	if err := yaml.NodeToValue(documents[0], &t, yaml.Strict()); err != nil {
		return t, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, false))
	}
	if err := t.Check(); err != nil {
		return t, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}
