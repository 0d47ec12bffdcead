package syntax

// Imports returns all imports of a script, wherever they stand.
func Imports(body []Stmt) []*Import {
	var all []*Import
	for _, st := range body {
		for _, b := range bodies(st) {
			all = append(all, Imports(b)...)
		}
		if i, ok := st.(*Import); ok {
			all = append(all, i)
		}
	}
	return all
}

// bodies returns the statements inside a statement.
func bodies(st Stmt) [][]Stmt {
	switch st := st.(type) {
	case *If:
		return [][]Stmt{st.Then, st.Else}
	case *While:
		return [][]Stmt{st.Body, st.Else}
	case *For:
		return [][]Stmt{st.Body, st.Else}
	case *Def:
		return [][]Stmt{st.Func.Body}
	case *Class:
		return [][]Stmt{st.Body}
	case *With:
		return [][]Stmt{st.Body}
	case *Try:
		all := [][]Stmt{st.Body, st.Else, st.Finally}
		for _, h := range st.Handlers {
			all = append(all, h.Body)
		}
		return all
	}
	return nil
}
