package rule

import (
	"context"
	"slices"
	"time"

	"pithings/gateway/collect"
	"pithings/gateway/script"
)

// recallTime is how long a recall of 2.x is waited for, in seconds, unless it says it.
const recallTime = 10

// recallData is recall_data of 1.x: all variables, measured anew.
func recallData(p *program, _ context.Context, a []script.Value) (any, error) {
	return nil, p.ask(a[0], a[1], a[2], callbackTime, func(ctx context.Context) (any, error) {
		r, err := p.round(ctx, nil, true)
		return data(&r), err
	})
}

// recall is that of 2.x, which waits for its answer.
func recall(p *program, ctx context.Context, a []script.Value) (any, error) {
	wanted, groups, err := p.recalled(a[0], a[1])
	if groups || err != nil {
		return nil, err
	}
	t, err := timeout(a[2], recallTime)
	if err != nil {
		return nil, err
	}
	now, err := flag(a[3], "realTime")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t)
	defer cancel()
	r, err := p.round(ctx, wanted, now)
	if err != nil {
		return timedOut, nil
	}
	return controllers(&r), nil
}

// recallLater is recall2, whose answer a callback gets.
func recallLater(p *program, _ context.Context, a []script.Value) (any, error) {
	wanted, groups, err := p.recalled(a[0], a[1])
	if groups || err != nil {
		return nil, err
	}
	now, err := flag(a[5], "realTime")
	if err != nil {
		return nil, err
	}
	return nil, p.ask(a[2], a[3], a[4], recallTime, func(ctx context.Context) (any, error) {
		r, err := p.round(ctx, wanted, now)
		return recalledLater(&r), err
	})
}

// round is the values of variables: the last that are known, or those that their things
// measure now. An error is that of ctx.
func (p *program) round(ctx context.Context, wanted func(*collect.Variable) bool, now bool) (collect.Round, error) {
	if now {
		return p.env.Field().RecallNow(ctx, wanted)
	}
	return p.env.Field().Recall(time.Now(), wanted), nil
}

// recalled reads which variables a recall asks for. Groups are handed to their rules, and
// have no answer.
func (p *program) recalled(names, kind script.Value) (wanted func(*collect.Variable) bool, groups bool, err error) {
	list, ok := names.(*script.List)
	if names != nil && !ok {
		return nil, false, script.Exception("TypeError", "names must be a list, not "+script.TypeName(names))
	}
	if kind == script.Str("group") {
		if list == nil {
			return nil, false, script.Exception("TypeError", "names must be a list of groups")
		}
		var all []string
		for _, v := range list.Items {
			name, err := text(v, "a group")
			if err != nil {
				return nil, false, err
			}
			all = append(all, name)
		}
		p.env.Recall(all)
		return nil, true, nil
	}
	chosen := map[string][]string{}
	if list != nil {
		for _, v := range list.Items {
			d, _ := v.(*script.Dict)
			if d == nil || d.GetStr("name") == nil {
				return nil, false, script.Exception("ValueError", "each item needs the name of a controller, and measures")
			}
			device, err := text(d.GetStr("name"), "name")
			if err != nil {
				return nil, false, err
			}
			chosen[device] = []string{}
			measures, _ := d.GetStr("measures").(*script.List)
			if measures == nil {
				continue
			}
			for _, m := range measures.Items {
				name, err := text(m, "a measure")
				if err != nil {
					return nil, false, err
				}
				chosen[device] = append(chosen[device], name)
			}
		}
	}
	return func(v *collect.Variable) bool {
		measures, ok := chosen[v.Device]
		return len(chosen) == 0 || ok && (len(measures) == 0 || slices.Contains(measures, v.Name))
	}, false, nil
}
