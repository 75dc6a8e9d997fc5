package root

// Failing is a file whose writes check may refuse.
func Failing(f File, check func() error) Provider { return failing{f, check} }

type failing struct {
	File
	check func() error
}

func (f failing) store(r ring) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.File.store(r)
}
