// A client has a `new`, and for each method one that ends in `_then` and one that ends in `_to`.

#[labrpc::service]
trait Makes {
    fn new(&self, args: u64) -> u64;
}

#[labrpc::service]
trait Waits {
    fn put(&self, args: u64) -> u64;
    fn put_then(&self, args: u64) -> u64;
    fn put_to(&self, args: u64) -> u64;
}

// All is well here.
#[labrpc::service]
trait Fine {
    fn new_one(&self, args: u64) -> u64;
    fn get_then(&self, args: u64) -> u64;
    fn get_to(&self, args: u64) -> u64;
    #[cfg(any())]
    fn get(&self, args: u64) -> u64;
}

fn main() {}
