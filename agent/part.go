package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"pithings/api"
	"pithings/spool/control"
	"pithings/things"
)

// partPath is where other processes ask for the thing that has a part (GET), and for one
// of its actions (POST).
const partPath = "/api/v1/part"

// partActions is how many actions of other programs may be under way: each may come with
// a picture.
const partActions = 4

// partOwner answers who has a part.
type partOwner struct {
	Thing string `json:"thing"`
}

// partCall asks for an action of the thing that has a part.
type partCall struct {
	Part   string         `json:"part"`
	Action string         `json:"action"`
	Input  map[string]any `json:"input,omitempty"`
}

// partRoutes let other processes use the parts of this one's things. Members of the
// group may: they could publish the commands, too.
func partRoutes(all func() []things.Thing, turns chan struct{}) []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: partPath, For: api.Look, Doc: "find the thing that has a part", Gives: partOwner{},
			Params: []api.Param{{Name: "part", Doc: "such as /dev/video0", Required: true}, {Name: "action", Doc: "that the part is wanted for, such as capture", Required: true}},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				t, err := withPart(all(), r.FormValue("part"), r.FormValue("action"))
				if err != nil {
					return nil, err
				}
				return partOwner{t.Name()}, nil
			})},
		{Method: http.MethodPost, Path: partPath, For: api.Act, Doc: "use the part of a thing", Takes: partCall{}, Gives: map[string]any{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				end, err := takeTurn(turns)
				if err != nil {
					return nil, err
				}
				defer end()
				var in partCall
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				t, err := withPart(all(), in.Part, in.Action)
				if err != nil {
					return nil, err
				}
				return t.Call(r.Context(), in.Action, in.Input)
			})},
	}
}

// takeTurn begins one of the actions that may be under way; end ends it.
func takeTurn(turns chan struct{}) (end func(), err error) {
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	default:
		return nil, fmt.Errorf("this agent does that for %d other programs at the moment: try again (%w)", cap(turns), api.Status(http.StatusServiceUnavailable))
	}
}

// withPart returns the thing that has a part and that action for other programs. Parts of
// several kinds may have one name: mock.
func withPart(all []things.Thing, name, action string) (things.Thing, error) {
	for _, t := range all {
		p, ok := t.(things.Part)
		if !ok {
			continue
		}
		if part, does := p.Part(); does == action && samePart(part, name) {
			return t, nil
		}
	}
	return nil, fmt.Errorf("no thing has %.80q (%w)", name, api.Status(http.StatusNotFound))
}

// samePart reports whether two names are of one part: devices have names by link, too,
// such as those in /dev/v4l/by-id.
func samePart(a, b string) bool {
	real := func(name string) string {
		if found, err := filepath.EvalSymlinks(name); err == nil && filepath.IsAbs(name) {
			return found
		}
		return name
	}
	return strings.EqualFold(a, b) || real(a) == real(b)
}

// FindPart asks an agent which of its things has a part with an action for other programs;
// ok says that one has.
func FindPart(ctx context.Context, c *control.Client, part, action string) (thing string, ok bool, err error) {
	var owner partOwner
	err = c.Do(ctx, http.MethodGet, partPath+"?"+url.Values{"part": {part}, "action": {action}}.Encode(), nil, &owner)
	var answer *control.AnswerError
	if errors.As(err, &answer) && answer.Status == http.StatusNotFound || errors.Is(err, control.ErrNoOwner) {
		return "", false, nil // also one of an earlier version
	}
	return owner.Thing, err == nil, err
}

// CallPart asks an agent for an action of the thing that has a part. The answer is decoded
// into out, unless that is nil.
func CallPart(ctx context.Context, c *control.Client, part, action string, input map[string]any, out any) error {
	return c.Do(ctx, http.MethodPost, partPath, partCall{part, action, input}, out)
}
