package tdm

import (
	"cmp"
	"slices"
	"strings"

	"pithings/device"
	"pithings/flow/expr"
)

// spelled spells a workflow's parameters and variables as they are declared; the
// console wrote deviceId: "${GreenLight1}" for a parameter $greenLight1. In Things
// Graph name.value is all of its value, unless the value has a key of that name:
// the guide's choice node asks hour.value > 14 of an Int.
func (im *importer) spelled(w *workflow, e *expr.Expr) *expr.Expr {
	if w == nil {
		return e
	}
	names := im.holds(w)
	return expr.New(rewrite(e.Root(), func(n expr.Node) expr.Node {
		switch v := n.(type) {
		case *expr.Name:
			own := &expr.Name{Name: w.spelling(v.Name)}
			if h := names[own.Name]; h.plain && h.fromThing && !h.fromService {
				return &expr.Member{Of: own, Key: valueKey}
			}
			return own
		case *expr.Member:
			if strings.EqualFold(v.Key, valueKey) && isWhole(names, v.Of) {
				return v.Of
			}
			if of, ok := v.Of.(*expr.Member); ok && isWhole(names, of) {
				return &expr.Member{Of: of.Of, Key: v.Key} // no bare value, whatever was declared
			}
		}
		return n
	}))
}

// valueKey is the key under which a thing's bare value is passed on.
const valueKey = "value"

// isWhole reports whether there is no key "value" in what n stands for: a parameter or
// a variable whose type is known, or a thing's bare answer with its key.
func isWhole(names map[string]held, n expr.Node) bool {
	switch v := n.(type) {
	case *expr.Name:
		h := names[v.Name]
		return h.lacksValue || h.plain && !h.fromThing
	case *expr.Member:
		of, ok := v.Of.(*expr.Name)
		return ok && v.Key == valueKey && names[of.Name].plain && names[of.Name].fromThing
	}
	return false
}

// isPlain reports whether values of a type are neither objects nor anything.
func isPlain(t device.ValueType) bool {
	return slices.Contains([]device.ValueType{device.StringType, device.BooleanType, device.IntegerType, device.NumberType}, t)
}

// holds returns it for each name that a workflow declares; once, for there may be many
// expressions. A type whose document is not here is anything: a problem elsewhere,
// if it is one at all.
func (im *importer) holds(w *workflow) map[string]held {
	if known, ok := im.held[w]; ok {
		return known
	}
	out := map[string]held{}
	for _, v := range w.variables {
		p := im.payload(&reader{}, v.property, v.pos)
		h := held{plain: isPlain(p.Bare), lacksValue: p.Keys != nil}
		for key := range p.Keys {
			h.lacksValue = h.lacksValue && !strings.EqualFold(key, valueKey)
		}
		out[v.name] = h
	}
	for _, s := range w.steps {
		name := w.spelling(s.activity.outName())
		h, ok := out[name]
		if !ok {
			continue
		}
		h.fromThing = h.fromThing || s.activity.kind == deviceActivity
		h.fromService = h.fromService || s.activity.kind == serviceActivity
		out[name] = h
	}
	for _, p := range w.params {
		out[p.name] = held{plain: isPlain(device.ValueType(jsonTypes[strings.ToLower(p.typ)]))}
	}
	im.held[w] = out
	return out
}

// spelling is how a name is declared, or the name itself if it is not.
func (w *workflow) spelling(name string) string {
	if own, ok := w.declared[name]; ok {
		return own
	}
	return cmp.Or(w.declared[strings.ToLower(name)], name)
}
