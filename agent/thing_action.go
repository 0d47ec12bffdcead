package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"pithings/api"
	"pithings/device"
	"pithings/flow"
)

// actionTime is how long an action of a thing may take: less than the web server takes to answer.
const actionTime = 45 * time.Second

// actionRoute has a thing do something. It is as the commands of those at the machine: a
// quarantine, which is against what comes from others, does not stop who may act here.
func actionRoute(parts func() []*part, turns chan struct{}) api.Route {
	return api.Route{Method: http.MethodPost, Path: thingsPath + "/{name}/actions/{action}", For: api.Act, Doc: "have a thing do one of its actions",
		Takes: map[string]any{}, Gives: map[string]any{},
		Handler: api.JSON(func(r *http.Request) (any, error) {
			end, err := takeTurn(turns)
			if err != nil {
				return nil, err
			}
			defer end()
			input := map[string]any{}
			if err := api.Decode(r, &input); err != nil {
				return nil, err
			}
			return act(r.Context(), parts(), r.PathValue("name"), r.PathValue("action"), input)
		})}
}

// act has a thing do an action of its description.
func act(ctx context.Context, parts []*part, thing, action string, input map[string]any) (map[string]any, error) {
	i := slices.IndexFunc(parts, func(p *part) bool { return p.Name() == thing })
	if i < 0 {
		return nil, noThing(thing)
	}
	a, ok := modelOf(&parts[i].made).Actions[action]
	if !ok {
		return nil, fmt.Errorf("thing %s has no action %.80q (%w)", thing, action, api.Status(http.StatusNotFound))
	}
	if err := a.Check(input); err != nil {
		return nil, badInput(err)
	}
	request, err := flow.RequestPayload(a, input)
	if err != nil {
		return nil, badInput(err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, actionTime, errSlowAction)
	defer cancel()
	result, err := parts[i].Call(ctx, action, request)
	if _, wrong := errors.AsType[device.InputError](err); wrong {
		err = badInput(err)
	} else if err != nil && errors.Is(context.Cause(ctx), errSlowAction) {
		err = fmt.Errorf("%w: %w (%w)", errSlowAction, err, api.Status(http.StatusGatewayTimeout))
	}
	if result == nil {
		result = map[string]any{}
	}
	return result, err
}

func badInput(err error) error {
	return fmt.Errorf("%w (%w)", err, api.Status(http.StatusBadRequest))
}

var errSlowAction = fmt.Errorf("the action has not ended within %v", actionTime)
