package cloudformation

var kinds = map[string]kind{}
