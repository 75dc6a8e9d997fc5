package logs

// inWord are the bytes that words consist of. What is around a value in a template is
// none of them, so that a word never lies in a value and in what is around it, nor
// does a word of a value in JSON.
var inWord = func() (set [256]bool) {
	for c := '!'; c < 256; c++ {
		set[c] = true
	}
	for _, c := range `",:{}[]\` {
		set[c] = false
	}
	return set
}()
