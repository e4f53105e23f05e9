// A service is a plain trait that has methods and nothing else.

#[labrpc::service]
trait Generic<T> {
    fn ask(&self, args: T) -> u64;
}

#[labrpc::service]
trait WithLifetime<'a> {
    fn ask(&self, args: u64) -> u64;
}

#[labrpc::service]
trait WithType {
    type Answer;
    fn ask(&self, args: u64) -> u64;
}

#[labrpc::service]
trait WithConst {
    const LIMIT: u64;
    fn ask(&self, args: u64) -> u64;
}

#[labrpc::service]
struct NoTrait;

fn main() {}
