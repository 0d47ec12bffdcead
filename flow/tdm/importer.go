package tdm

import (
	"fmt"

	"pithings/device"
	"pithings/flow"
)

type importer struct {
	*Documents
	*reader
	options Options
	out     *Import
	needed  map[string]bool
	held    map[*workflow]map[string]held
}

// need notes what has to be given; the same for the same thing only once.
func (im *importer) need(pos Pos, fix, format string, args ...any) {
	what := message(fmt.Sprintf(format, args...), fix)
	if !im.needed[what] {
		im.needed[what] = true
		im.out.Needs.Add(pos, "%s", what)
	}
}

// held is what is known of what a parameter or a variable holds.
type held struct {
	plain       bool // neither an object nor anything
	lacksValue  bool // an object without the key "value"
	fromThing   bool // a step with a thing has it as its out
	fromService bool
}

// Import is what a set of documents says, in pithings' own terms.
type Import struct {
	// Definitions are the workflows, in the order of the documents, as they are
	// written: devices are parameters.
	Definitions []*flow.Definition
	// Deployments are the flow configurations. A system without one gives a
	// deployment too, started by its workflows' default triggers, if they have any.
	Deployments []*flow.Deployment
	// Devices and Services are those that the files define or use.
	Devices  []device.Model
	Services []flow.ServiceModel
	// Needs is what has to be given before the flows can run: things for roles,
	// documents of devices and services, URLs for what ran at AWS.
	Needs flow.Problems
}

// Options say what documents leave open.
type Options struct {
	// Things play roles for which no deployment document names one.
	Things map[string]string
	// Services are URLs of one's own for web services, by URN or name, in whose
	// stead they are called: Lambda functions and what AWS has signed run nowhere
	// else.
	Services map[string]string
}
