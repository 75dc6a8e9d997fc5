package iam

// NewARN is the ARN that a user, role, group or policy with a name and a path is
// to have.
func NewARN(kind, path, name string) string {
	if path == "" {
		path = "/"
	}
	return arnOf("iam", kind+path+name)
}
