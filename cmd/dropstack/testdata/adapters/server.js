require('./app').listen(0, '127.0.0.1', function () { console.log(this.address().port) })
