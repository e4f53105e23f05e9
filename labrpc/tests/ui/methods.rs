// A handler is an ordinary function that any number of calls run at once.

#[labrpc::service]
trait Async {
    async fn ask(&self, args: u64) -> u64;
}

#[labrpc::service]
trait Generic {
    fn ask<T>(&self, args: T) -> u64;
}

#[labrpc::service]
trait Mutable {
    fn ask(&mut self, args: u64) -> u64;
}

#[labrpc::service]
trait ByValue {
    fn ask(self, args: u64) -> u64;
}

#[labrpc::service]
trait WithoutSelf {
    fn ask(args: u64) -> u64;
}

#[labrpc::service]
trait Nothing {
    fn ask();
}

fn main() {}
