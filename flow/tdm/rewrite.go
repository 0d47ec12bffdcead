package tdm

import "pithings/flow/expr"

// rewrite makes a copy of an expression's tree in which fn has replaced nodes,
// from the leaves up.
func rewrite(n expr.Node, fn func(expr.Node) expr.Node) expr.Node {
	each := func(list []expr.Node) []expr.Node {
		if list == nil {
			return nil
		}
		out := make([]expr.Node, len(list))
		for i, x := range list {
			out[i] = rewrite(x, fn)
		}
		return out
	}
	switch x := n.(type) {
	case *expr.List:
		n = &expr.List{Items: each(x.Items)}
	case *expr.Member:
		n = &expr.Member{Of: rewrite(x.Of, fn), Key: x.Key}
	case *expr.Index:
		n = &expr.Index{Of: rewrite(x.Of, fn), Place: x.Place}
	case *expr.Filter:
		n = &expr.Filter{Of: rewrite(x.Of, fn), Condition: rewrite(x.Condition, fn)}
	case *expr.Call:
		c := &expr.Call{Name: x.Name, Args: each(x.Args)}
		if x.Of != nil {
			c.Of = rewrite(x.Of, fn)
		}
		n = c
	case *expr.Unary:
		n = &expr.Unary{Op: x.Op, X: rewrite(x.X, fn)}
	case *expr.Binary:
		n = &expr.Binary{Op: x.Op, X: rewrite(x.X, fn), Y: rewrite(x.Y, fn)}
	case *expr.Conditional:
		n = &expr.Conditional{If: rewrite(x.If, fn), Then: rewrite(x.Then, fn), Else: rewrite(x.Else, fn)}
	case *expr.Cast:
		n = &expr.Cast{Type: x.Type, X: rewrite(x.X, fn)}
	case *expr.Macro:
		n = &expr.Macro{Parts: each(x.Parts)}
	}
	return fn(n)
}
