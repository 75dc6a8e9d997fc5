package spec

import "strings"

// Secret is a parameter, or all below a path, that a function has in its
// environment when it starts.
type Secret struct {
	Pos       Pos
	Name      string // of the variable; "": Parameter is a path, and each parameter below it is named by its last part
	Parameter string // name or ARN of a parameter, or a path
}

// secrets reads dropstack of a function, whose only key says which parameters
// become environment variables: {secrets: {NAME: /parameter}} or {secrets: [/path]}.
func (r *reader) secrets(n *node, what string) (out []Secret) {
	r.object(n, what, keys{"secrets": func(v *node) {
		if v.kind != object {
			r.each(v, what+".secrets", func(item *node) {
				path := r.value(item, what+".secrets")
				if !strings.HasPrefix(path, "/") {
					r.fail(item.pos, "%s.secrets: the path %q must begin with /", what, path)
				}
				out = append(out, Secret{Pos: item.pos, Parameter: path})
			})
			return
		}
		for _, f := range v.fields {
			if !envName.MatchString(f.key) {
				r.fail(f.pos, "%s.secrets: the name %q must be a letter followed by letters, digits and _", what, f.key)
			}
			parameter := r.value(f.value, what+".secrets."+f.key)
			if parameter == "" {
				r.fail(f.pos, "%s.secrets.%s names no parameter", what, f.key)
			}
			out = append(out, Secret{f.pos, f.key, parameter})
		}
	}}, effects{})
	return out
}
